//! libpq's file of passwords.

use std::{io, os::unix::fs::PermissionsExt, path::Path};

use postgres::config::Host;

use super::PORT;
use crate::error::{Doing, Error, Result};

/// The file's text, nothing where there is none. One that others may read is `Invalid`: libpq heeds none of that kind either.
pub(super) fn read(path: &Path) -> Result<String> {
    let mode = match path.metadata() {
        Ok(there) => there.permissions().mode(),
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(String::new()),
        Err(e) => return Err(e).doing(|| format!("cannot read {}", path.display())),
    };
    if mode & 0o077 != 0 {
        return Err(Error::invalid(format!("others may read the passwords in {}", path.display()))
            .hint(format!("chmod 600 {}", path.display())));
    }
    std::fs::read_to_string(path).doing(|| format!("cannot read {}", path.display()))
}

/// The password that a passfile has for this server: lines of host:port:database:user:password, `*` for any, `\` before
/// a colon or backslash (PostgreSQL manual, 34.16).
pub(super) fn password(text: &str, config: &postgres::Config) -> Option<String> {
    let host = match config.get_hosts().first() {
        Some(Host::Tcp(name)) => name.clone(),
        _ => "localhost".to_owned(),
    };
    let port = config.get_ports().first().copied().unwrap_or(PORT).to_string();
    let user = config.get_user().unwrap_or_default();
    let wanted = [host.as_str(), &port, config.get_dbname().unwrap_or(user), user];
    text.lines().filter(|line| !line.starts_with('#')).find_map(|line| {
        let mut fields = vec![String::new()];
        let mut characters = line.chars();
        while let Some(c) = characters.next() {
            if c == ':' && fields.len() < 5 {
                fields.push(String::new());
            } else if let Some(field) = fields.last_mut() {
                field.extend(if c == '\\' { characters.next() } else { Some(c) });
            }
        }
        let [.., password] = fields.as_slice() else { return None };
        let fits = fields.len() == 5 && fields.iter().zip(wanted).all(|(has, wants)| has == "*" || has == wants);
        fits.then(|| password.clone())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_that_others_may_read_are_not_used() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pgpass");
        assert_eq!(read(&path).unwrap(), "");
        std::fs::write(&path, "*:*:*:ana:secret").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        let e = read(&path).unwrap_err();
        assert!(e.hint_text().unwrap().starts_with("chmod 600") && !e.to_string().contains("secret"), "{e}");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        let config = "host=db user=ana".parse().unwrap();
        assert_eq!(password(&read(&path).unwrap(), &config).as_deref(), Some("secret"));
    }
}
