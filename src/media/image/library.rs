//! Libraries that few pictures need, loaded when the first of those comes. Linked as the others are, their tables would be
//! set up in every process, also in the child that only makes a thumbnail: a third of its start.

/// Declares functions of a library of C, and `loaded` to have them; the error says which of Debian's packages brings it.
macro_rules! library {
    (struct $name:ident in $file:literal of $package:literal;
     $(fn $function:ident($($argument:ident: $type:ty),* $(,)?) $(-> $result:ty)?;)*) => {
        #[allow(non_snake_case, reason = "the library's own names")]
        struct $name {
            $($function: unsafe extern "C" fn($($argument: $type),*) $(-> $result)?,)*
        }

        impl $name {
            fn loaded() -> crate::error::Result<&'static Self> {
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
