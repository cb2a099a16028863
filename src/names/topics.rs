//! What a text is about, by a list of topics: each has words that speak for it, in Spanish and in English, in any form.
//!
//! It counts words and understands nothing. So a topic is told only where several of its words come, and enough of them for the
//! length of the text; what is little or about many things has none.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap},
};

use frostem::{Algorithm, Stemmer};

use super::{
    keywords::folded,
    language::{Language, words},
};
use crate::{
    digest::Digest,
    error::{Error, Result},
    model::Finding,
    profile::{LearnTopics, Topic},
    stop::Stop,
};

/// IPTC's subjects, and our words for them.
const MEDIA_TOPICS: &str = include_str!("topics.yaml");
/// A topic is told where so many different words and expressions of it come,
const FEWEST: usize = 3;
/// and with all of them one word in so many is one of its own,
const ONE_IN: usize = 100;
/// and it has no less than this part of the weight of the weightiest.
const LEAST: f32 = 0.5;
/// How much of a text is read, in bytes: ten hours of speech take half of it.
const READ: usize = 1 << 20;

/// A list of topics, ready to be looked for.
#[derive(Debug)]
pub struct Topics {
    /// Code and name.
    all: Vec<(String, String)>,
    /// By language and first stem; the longest first.
    seeds: HashMap<(Language, String), Vec<Seed>>,
    labels: String,
    most: usize,
    digest: Digest,
}

/// A word or an expression that speaks for topics.
#[derive(Debug)]
struct Seed {
    number: usize,
    /// The stems that follow the first.
    rest: Vec<String>,
    topics: Vec<usize>,
}

impl Topics {
    /// The list that is wanted.
    pub fn new(wanted: &LearnTopics) -> Result<Self> {
        let mut list: BTreeMap<String, Topic> = BTreeMap::new();
        if wanted.media_topics {
            let known = serde_saphyr::from_str(MEDIA_TOPICS);
            list = known.map_err(|e| Error::internal(format!("topics.yaml: {}", e.without_snippet())))?;
        }
        list.extend(wanted.own.clone());
        let written = serde_json::to_string(&list).map_err(|e| Error::internal("cannot write topics").because(e))?;
        let digest = Digest::of_fields(&[written]);
        let mut all = Vec::new();
        let mut seeds: BTreeMap<(Language, Vec<String>), Vec<usize>> = BTreeMap::new();
        for (n, (code, topic)) in list.into_iter().enumerate() {
            let name = topic.name.get(&wanted.labels).or_else(|| topic.name.values().next()).cloned();
            all.push((code, name.unwrap_or_default()));
            for language in Language::ALL {
                for text in topic.words.get(language.tag()).into_iter().flatten() {
                    let stems: Vec<String> = words(text).map(|word| stem(&word.to_lowercase(), language)).collect();
                    let topics = seeds.entry((language, stems)).or_default();
                    if !topics.contains(&n) {
                        topics.push(n);
                    }
                }
            }
        }
        let mut by_first: HashMap<(Language, String), Vec<Seed>> = HashMap::new();
        for (number, ((language, stems), topics)) in seeds.into_iter().enumerate() {
            let mut stems = stems.into_iter();
            if let Some(first) = stems.next() {
                by_first.entry((language, first)).or_default().push(Seed { number, rest: stems.collect(), topics });
            }
        }
        by_first.values_mut().for_each(|of| of.sort_by_key(|seed| Reverse(seed.rest.len())));
        Ok(Self { all, seeds: by_first, labels: wanted.labels.clone(), most: wanted.most as usize, digest })
    }

    /// Digest of codes, names and words.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// How many there are.
    #[expect(clippy::len_without_is_empty, reason = "an empty list is refused by the profile")]
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// What these texts are about, each with its language where that is known: the weightiest topics first, none where too
    /// little speaks for any. A text in another language than the list's says nothing.
    ///
    /// A word weighs 1, and the logarithm of how often it comes more; where it speaks for several topics, they share that. The
    /// trust is a topic's share of all that speaks for any, times w / (w + 3), w its own weight.
    pub fn told<'a>(
        &self,
        texts: impl Iterator<Item = (&'a str, Option<&'a str>)> + Clone,
        stop: &Stop,
    ) -> Result<Vec<Finding>> {
        let usual = Language::of_text(&texts.clone().map(|(text, _)| text).collect::<Vec<_>>().join("\n"));
        let (mut counts, mut read) = (HashMap::<usize, (usize, &Seed)>::new(), 0);
        let mut left = READ;
        for (text, tag) in texts {
            stop.check()?;
            let text = &text[..text.floor_char_boundary(left)];
            left -= text.len();
            match (tag.map(Language::of_tag), Language::of_text(text).or(usual)) {
                (Some(told), _) => {
                    told.into_iter().for_each(|language| read += self.count(text, language, &mut counts))
                }
                (None, Some(language)) => read += self.count(text, language, &mut counts),
                // Too short to tell: the one that more of its words speak for, or both would count what is written alike.
                (None, None) => {
                    let of = Language::ALL.map(|language| {
                        let mut found = HashMap::new();
                        (self.count(text, language, &mut found), found)
                    });
                    if let Some((words, found)) = of.into_iter().min_by_key(|(_, found)| Reverse(found.len())) {
                        read += words;
                        found
                            .into_iter()
                            .for_each(|(n, (count, seed))| counts.entry(n).or_insert((0, seed)).0 += count);
                    }
                }
            }
        }
        // Of each topic: its weight, how many different words it has, and how many in all.
        let mut topics: BTreeMap<usize, (f32, usize, usize)> = BTreeMap::new();
        let mut counts: Vec<(usize, &Seed)> = counts.into_values().collect();
        // Sums of fractions go by their order, and are to be the same on every machine.
        counts.sort_by_key(|(_, seed)| seed.number);
        for (count, seed) in counts {
            for topic in &seed.topics {
                let (weight, different, times) = topics.entry(*topic).or_default();
                *weight += (1.0 + (count as f32).ln()) / seed.topics.len() as f32;
                *different += 1;
                *times += count;
            }
        }
        let sum: f32 = topics.values().map(|(weight, ..)| weight).sum();
        let most = topics.values().map(|(weight, ..)| *weight).fold(0.0, f32::max);
        let is_told = |(weight, different, times): &(f32, usize, usize)| {
            *different >= FEWEST && times * ONE_IN >= read && *weight >= most * LEAST
        };
        let mut told: Vec<(usize, f32)> =
            topics.iter().filter(|(_, of)| is_told(of)).map(|(n, (weight, ..))| (*n, *weight)).collect();
        told.sort_by(|(a, one), (b, other)| other.total_cmp(one).then(a.cmp(b)));
        told.truncate(self.most);
        let finding = |(n, weight): (usize, f32)| {
            let (code, name) = self.all[n].clone();
            Finding {
                text: name,
                code: Some(code),
                language: Some(self.labels.clone()),
                trust: Some(weight / sum * weight / (weight + 3.0)),
                ..Finding::default()
            }
        };
        Ok(told.into_iter().map(finding).collect())
    }

    /// Counts the words of a text that speak for something. Says how many may say anything.
    fn count<'a>(&'a self, text: &str, language: Language, counts: &mut HashMap<usize, (usize, &'a Seed)>) -> usize {
        let all: Vec<(bool, String)> = words(text)
            .map(|word| {
                let lower = word.to_lowercase();
                (language.is_stop_word(&lower), stem(&lower, language))
            })
            .collect();
        let mut at = 0;
        while let Some((is_stop, first)) = all.get(at) {
            let seeds = if *is_stop { None } else { self.seeds.get(&(language, first.clone())) };
            let follows = |seed: &&Seed| {
                let next = all.get(at + 1..at + 1 + seed.rest.len());
                next.is_some_and(|next| next.iter().map(|(_, stem)| stem).eq(&seed.rest))
            };
            match seeds.into_iter().flatten().find(follows) {
                Some(seed) => {
                    counts.entry(seed.number).or_insert((0, seed)).0 += 1;
                    at += 1 + seed.rest.len();
                }
                None => at += 1,
            }
        }
        all.iter().filter(|(is_stop, _)| !is_stop).count()
    }
}

/// What all forms of a word have in common, without accents.
fn stem(lower: &str, language: Language) -> String {
    let stemmer = Stemmer::new(match language {
        Language::Spanish => Algorithm::Spanish,
        Language::English => Algorithm::English,
    });
    // The rules go by accents, which captions leave out: nearly all Spanish words in -ion have one.
    let accented =
        lower.strip_suffix("ion").filter(|_| language == Language::Spanish).map(|start| format!("{start}ión"));
    folded(&stemmer.stem(accented.as_deref().unwrap_or(lower)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(wanted: &LearnTopics, texts: &[(&str, Option<&str>)]) -> Vec<(String, f32)> {
        let found = Topics::new(wanted).unwrap().told(texts.iter().copied(), &Stop::new()).unwrap();
        found.into_iter().map(|f| (f.text, f.trust.unwrap())).collect()
    }

    fn names(texts: &[(&str, Option<&str>)]) -> Vec<String> {
        told(&LearnTopics::default(), texts).into_iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn a_text_is_about_what_several_of_its_words_speak_for() {
        let economy = "La inflación bajó en marzo y los precios subieron menos de lo que el mercado esperaba. El banco central mantiene \
                       la tasa de interés, y los economistas creen que la deuda es el problema.";
        let found = told(&LearnTopics::default(), &[(economy, Some("es"))]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].0 == "economía, negocios y finanzas" && (0.5..=1.0).contains(&found[0].1), "{found:?}");
        assert_eq!(
            names(&[(&economy.to_uppercase().replace(['Ó', 'É'], "O"), None)]).len(),
            1,
            "captions, without a language"
        );
        for (text, tag, name) in [
            (
                "The striker scored twice and the goalkeeper saved a penalty kick in the final of the tournament.",
                "en",
                "deporte",
            ),
            (
                "El delantero marcó dos goles, el portero paró un penalti y el árbitro expulsó a un futbolista.",
                "es",
                "deporte",
            ),
            (
                "Mañana habrá lluvias y tormentas en el norte, con viento fuerte, y un descenso de las temperaturas.",
                "es",
                "el tiempo",
            ),
            (
                "The senator asked voters to support the president before the election in November.",
                "en",
                "política y gobierno",
            ),
            (
                "Los bomberos buscan sobrevivientes entre los escombros tras el terremoto de esta madrugada.",
                "es",
                "catástrofes, accidentes y emergencias",
            ),
        ] {
            assert_eq!(names(&[(text, Some(tag))]), [name], "{text}");
        }
    }

    #[test]
    fn little_text_text_about_nothing_and_text_in_other_languages_have_no_topic() {
        for text in [
            "",
            "La inflación bajó al 3 % en marzo",
            "inflación inflación inflación inflación",
            // Two words that are written alike in two languages are no four.
            "HOSPITAL VIRUS",
            "Hola, buenas tardes a todos. Estamos muy contentos de estar aquí con ustedes, y vamos a empezar ahora mismo, que ya es \
             tarde y nos queda mucho por hacer. Cuando quieras, empezamos con lo que habíamos dicho.",
        ] {
            assert!(names(&[(text, None)]).is_empty(), "{text}: {:?}", names(&[(text, None)]));
        }
        assert!(names(&[("inflation banque prix crise inflation économie dollar euro", Some("fr"))]).is_empty());
        // Three words of a topic in a thousand others.
        let long = format!("inflación, mercado y deuda {}", "casa perro ventana zapato ".repeat(250));
        assert!(names(&[(&long, Some("es"))]).is_empty());
    }

    #[test]
    fn expressions_count_as_what_they_are_and_words_of_two_topics_for_both() {
        let war = "El alto el fuego no llegó: la artillería y los misiles del ejército siguieron, y cayeron soldados.";
        assert_eq!(names(&[(war, Some("es"))]), ["conflictos, guerra y paz"], "no fire");
        let both = "The hurricane flooded the coast: firefighters rescued survivors. The forecast is of rain, wind and thunderstorms.";
        let found = told(&LearnTopics::default(), &[(both, Some("en"))]);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found.iter().all(|(_, trust)| *trust < 0.5), "{found:?}");
    }

    #[test]
    fn a_list_of_ones_own_is_added_and_takes_the_place_of_the_usual_one() {
        let topic = |name: &str, words: &[&str]| Topic {
            name: BTreeMap::from([("es".to_owned(), name.to_owned())]),
            words: BTreeMap::from([("es".to_owned(), words.iter().map(|w| (*w).to_owned()).collect())]),
        };
        let text = [("La inflación, los precios y la deuda: el asado, el mate y la yerba de siempre.", Some("es"))];
        let own = BTreeMap::from([
            ("casa:mate".to_owned(), topic("el mate", &["mate", "yerba", "asado"])),
            ("medtop:04000000".to_owned(), topic("economía", &["precio", "deuda", "inflación"])),
        ]);
        let wanted = LearnTopics { own, ..LearnTopics::default() };
        let found = told(&wanted, &text);
        assert_eq!(found.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["el mate", "economía"]);
        let without = LearnTopics { media_topics: false, most: 1, ..wanted.clone() };
        assert_eq!(told(&without, &text).len(), 1);
        let digest = |wanted: &LearnTopics| Topics::new(wanted).unwrap().digest();
        assert_ne!(digest(&wanted), digest(&LearnTopics::default()));
        assert_eq!(
            told(&LearnTopics { labels: "en".to_owned(), ..LearnTopics::default() }, &text)[0].0,
            "economy, business and finance"
        );
    }

    #[test]
    fn every_topic_has_a_code_names_and_words_in_both_languages() {
        let list: BTreeMap<String, Topic> = serde_saphyr::from_str(MEDIA_TOPICS).unwrap();
        assert_eq!(list.len(), 17);
        for (code, topic) in &list {
            assert!(code.strip_prefix("medtop:").is_some_and(|n| n.len() == 8 && n.ends_with("000000")), "{code}");
            assert!(["es", "en"].iter().all(|l| topic.name.contains_key(*l) && topic.words[*l].len() >= 20), "{code}");
        }
        // One that is dropped by a stem is no word that says nothing.
        for (code, topic) in &list {
            for language in Language::ALL {
                let odd = topic.words[language.tag()].iter().find(|w| language.is_stop_word(&w.to_lowercase()));
                assert!(odd.is_none(), "{code}: {odd:?}");
            }
        }
    }
}
