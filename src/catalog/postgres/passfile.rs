//! libpq's file of passwords.

use postgres::config::Host;

use super::PORT;

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
