//! Libraries that few pictures need, loaded when the first of those comes. Linked as the others are, their tables would be
//! set up in every process, also in the child that only makes a thumbnail: a third of its start. [`libraries`] tells which of
//! them are here.

#[cfg(feature = "heif")]
use super::heif::Heif;
#[cfg(feature = "jxl")]
use super::jxl::Jxl;
use crate::error::Result;

/// A library that is loaded at run time.
#[derive(Debug)]
pub struct Library {
    /// Its name.
    pub name: &'static str,
    /// Debian's package that brings it.
    pub package: &'static str,
    /// What cannot be done without it.
    pub cost: &'static str,
    /// Its version, or why it is of no use.
    pub version: Result<String>,
}

/// Loads all libraries that this build takes pictures to, with the functions that it calls.
pub fn libraries() -> Vec<Library> {
    Vec::from([
        #[cfg(feature = "heif")]
        Library {
            name: "libheif",
            package: Heif::PACKAGE,
            cost: "HEIC and AVIF cannot be read, nor AVIF written",
            version: Heif::loaded().and_then(|_| version(Heif::FILE, "heif_get_version", in_words)),
        },
        #[cfg(feature = "jxl")]
        Library {
            name: "libjxl",
            package: Jxl::PACKAGE,
            cost: "JPEG XL cannot be written",
            version: Jxl::loaded().and_then(|_| version(Jxl::FILE, "JxlEncoderVersion", in_a_number)),
        },
    ])
}

/// What a library's function that tells its version says. `F` is that function's type.
fn version<F: Copy>(file: &str, function: &str, told: unsafe fn(F) -> String) -> Result<String> {
    let lacks = |e: libloading::Error| crate::error::Error::unavailable(format!("{file} tells no version: {e}"));
    // SAFETY: as where it was loaded before, which this finds again; the callers below give each function with its type.
    unsafe {
        let library = libloading::Library::new(file).map_err(lacks)?;
        Ok(told(*library.get::<F>(function).map_err(lacks)?))
    }
}

/// As libheif tells it.
#[cfg(feature = "heif")]
unsafe fn in_words(tell: unsafe extern "C" fn() -> *const std::ffi::c_char) -> String {
    // SAFETY: it is a string of the library itself, which stays loaded.
    unsafe { std::ffi::CStr::from_ptr(tell()) }.to_string_lossy().into_owned()
}

/// As libjxl tells it: a million for each, a thousand for each, and the rest.
#[cfg(feature = "jxl")]
unsafe fn in_a_number(tell: unsafe extern "C" fn() -> u32) -> String {
    // SAFETY: it takes nothing and gives a number.
    let number = unsafe { tell() };
    format!("{}.{}.{}", number / 1_000_000, number / 1000 % 1000, number % 1000)
}

/// Declares functions of a library of C, and `loaded` to have them; the error says which of Debian's packages brings it.
macro_rules! library {
    (struct $name:ident in $file:literal of $package:literal;
     $(fn $function:ident($($argument:ident: $type:ty),* $(,)?) $(-> $result:ty)?;)*) => {
        #[allow(non_snake_case, reason = "the library's own names")]
        pub(super) struct $name {
            $($function: unsafe extern "C" fn($($argument: $type),*) $(-> $result)?,)*
        }

        impl $name {
            /// What it is called by the system's loader, and the package of Debian that brings it.
            pub(super) const FILE: &'static str = $file;
            pub(super) const PACKAGE: &'static str = $package;

            pub(super) fn loaded() -> crate::error::Result<&'static Self> {
                static LOADED: std::sync::OnceLock<Result<$name, String>> = std::sync::OnceLock::new();
                LOADED.get_or_init(|| Self::load().map_err(|e| e.to_string())).as_ref().map_err(|e| {
                    crate::error::Error::unavailable(format!("{} cannot be loaded: {e}", $file))
                        .hint(concat!("install Debian's package ", $package))
                })
            }

            fn load() -> Result<Self, libloading::Error> {
                // SAFETY: it is Debian's own library, whose initializers ask for nothing; the functions are declared as its
                // headers have them; and it is never unloaded, so that they stay.
                unsafe {
                    let library = std::mem::ManuallyDrop::new(libloading::Library::new($file)?);
                    Ok(Self { $($function: *library.get(stringify!($function))?,)* })
                }
            }
        }
    };
}

pub(super) use library;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_loaded_is_a_file_of_a_package_that_is_installed_with_the_program() {
        let setup = include_str!("../../../scripts/setup");
        let run = setup.lines().find(|line| line.starts_with("run=")).unwrap();
        let files = [
            #[cfg(feature = "heif")]
            (Heif::FILE, Heif::PACKAGE),
            #[cfg(feature = "jxl")]
            (Jxl::FILE, Jxl::PACKAGE),
        ];
        for (file, package) in files {
            assert!(run.trim_end_matches('"').split(' ').any(|word| word == package), "{package} is not in: {run}");
            assert!(
                !setup.contains(&format!("{}-dev", package.trim_end_matches(|c: char| c.is_numeric() || c == '.')))
            );
            let Ok(listed) = std::process::Command::new("dpkg").args(["-L", package]).output() else { continue };
            let listed = String::from_utf8_lossy(&listed.stdout);
            // A name of the package with headers would be missing where nothing is built.
            assert!(
                listed.lines().any(|line| line.ends_with(&format!("/{file}"))),
                "{package} has no {file}: {listed}"
            );
        }
        for library in libraries() {
            let version = library.version.unwrap();
            assert!(version.split('.').count() == 3 && version.starts_with(|c: char| c.is_numeric()), "{version}");
        }
    }
}
