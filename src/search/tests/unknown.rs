//! Fields that there are none of.

use super::*;

#[test]
fn what_looks_like_a_field_and_is_none_is_looked_for_as_words_and_it_is_said() {
    let archive = index(&[plain("titel guerra.mov"), plain("guerra.mov"), plain("https ejemplo es a 12 30.mov")], 1);
    let notices = |words: &str| archive.ask(&Question { words, ..Question::default() }).notices;
    assert_eq!(archive.titles("titel:guerra"), ["titel guerra.mov"]);
    let [told] = notices("titel:guerra").try_into().unwrap();
    assert!(
        told.starts_with("there is no field 'titel': its name and what follows were looked for as words"),
        "{told}"
    );
    assert!(told.contains("fields are title, description, tag, person") && told.ends_with("has"), "{told}");
    let [told] = notices("foo:guerra -titel:x OR (foo:a título:b)").try_into().unwrap();
    assert!(told.starts_with("there are no fields 'foo', 'titel', 'título':"), "{told}");
    for words in ["title:guerra", "https://ejemplo.es/a", "12:30", "guerra", "\"titel:guerra\""] {
        assert_eq!(notices(words), Vec::<String>::new(), "{words}");
        assert!(!archive.titles(words).is_empty(), "{words}");
    }
}
