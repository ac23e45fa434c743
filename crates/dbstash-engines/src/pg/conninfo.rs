//! Connection parameters as libpq takes them in one argument. Never a secret among them.

use dbstash_core::job::{Host, Server};

/// `key='value' ...`, in which every value is taken literally.
pub(super) fn conninfo(server: &Server, database: Option<&str>, service: Option<&str>) -> String {
    let mut pairs: Vec<(&str, String)> = Vec::new();
    if let Some(service) = service {
        pairs.push(("service", service.to_owned()));
    }
    if server.hosts.iter().any(|host| !host.name.is_empty()) {
        let names: Vec<_> = server.hosts.iter().map(|host| host.name.as_str()).collect();
        pairs.push(("host", names.join(",")));
    }
    if server.hosts.iter().any(|host| host.port.is_some()) {
        let port = |host: &Host| host.port.map(|port| port.to_string()).unwrap_or_default();
        let ports: Vec<_> = server.hosts.iter().map(port).collect();
        pairs.push(("port", ports.join(",")));
    }
    pairs.extend(server.user.iter().map(|user| ("user", user.clone())));
    pairs.extend(database.iter().map(|name| ("dbname", (*name).to_owned())));
    let taken = |key: &str| key == "dbname" && database.is_some();
    let rest = server.params.iter().filter(|(key, _)| !taken(key));
    pairs.extend(rest.map(|(key, value)| (key.as_str(), value.clone())));
    pairs.iter().map(|(key, value)| pair(key, value)).collect::<Vec<_>>().join(" ")
}

/// A database for an option that takes a name or connection parameters.
pub(super) fn database(name: &str) -> String {
    if name.contains(['=', ':']) { pair("dbname", name) } else { name.to_owned() }
}

fn pair(key: &str, value: &str) -> String {
    format!("{key}='{}'", value.replace('\\', "\\\\").replace('\'', "\\'"))
}
