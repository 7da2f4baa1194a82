//! Services: named connections in a file, as libpq has them (libpq-pgservice).

use super::address::said;
use ductape_engine::{Error, ErrorKind};
use std::path::PathBuf;

/// Where a distribution keeps the file for everybody.
const SYSTEM_FOLDERS: [&str; 2] = ["/etc/postgresql-common", "/etc"];

/// The parameters of a service, from the first file that has it.
pub(super) fn read(name: &str) -> Result<Vec<(String, String)>, Error> {
    let files = files();
    for file in &files {
        let text = match std::fs::read_to_string(file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => {
                return Err(Error::of(
                    ErrorKind::Usage,
                    format!("{} cannot be read: {error}", file.display()),
                ));
            }
        };
        if let Some(pairs) = section(&text, name) {
            return Ok(pairs);
        }
    }
    let looked: Vec<String> = files
        .iter()
        .map(|file| file.display().to_string())
        .collect();
    Err(Error::of(
        ErrorKind::Usage,
        format!("there is no service {name:?} in {}", looked.join(" or ")),
    )
    .hint("write [NAME] and below it host=…, port=…, dbname=…, user=…, a line each"))
}

fn files() -> Vec<PathBuf> {
    let own = match said("PGSERVICEFILE") {
        Some(file) => Some(PathBuf::from(file)),
        None => std::env::home_dir().map(|home| home.join(".pg_service.conf")),
    };
    let common: Vec<PathBuf> = match said("PGSYSCONFDIR") {
        Some(folder) => vec![folder.into()],
        None => SYSTEM_FOLDERS.iter().map(PathBuf::from).collect(),
    };
    own.into_iter()
        .chain(
            common
                .into_iter()
                .map(|folder| folder.join("pg_service.conf")),
        )
        .collect()
}

/// The lines below `[name]`.
fn section(text: &str, name: &str) -> Option<Vec<(String, String)>> {
    let mut lines = text.lines().map(str::trim);
    let heading = format!("[{name}]");
    lines.find(|line| *line == heading)?;
    let pairs = lines
        .take_while(|line| !line.starts_with('['))
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once('='))
        .map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned()));
    Some(pairs.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_the_lines_below_its_name() {
        let text = "# ours\n[one]\nhost=a\n\n[two]\nhost = b\n#port=1\nport=2\n[three]\nport=3\n";
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!(
            section(text, "two"),
            Some(vec![pair("host", "b"), pair("port", "2")])
        );
        assert_eq!(section(text, "four"), None);
    }
}
