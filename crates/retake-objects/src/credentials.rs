//! Who asks: what the environment and the files of other programs say.
//!
//! Keys of the environment come first, then a profile of `~/.aws/credentials` and `~/.aws/config`, and in the
//! end the role of the machine or container, which the library below sees to. Nothing here is printed.

use object_store::ClientConfigKey;
use object_store::aws::AmazonS3ConfigKey as Key;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// What says how a bucket is reached, in the words of the library below.
#[derive(Default, Clone)]
pub(crate) struct Environment {
    settings: BTreeMap<String, (Key, String)>,
    /// Whether nobody but the machine itself says who asks.
    pub from_machine: bool,
}

impl Environment {
    /// Takes in the variables `AWS_…`, and what files say beside them.
    pub(crate) fn read(variables: impl Iterator<Item = (String, String)>) -> io::Result<Self> {
        let variables: BTreeMap<String, String> =
            variables.filter(|(name, value)| name.starts_with("AWS_") && !value.is_empty()).collect();
        let mut environment = Self::default();
        for (name, value) in &variables {
            environment.set(&name.to_ascii_lowercase(), value);
        }
        environment.add_profile(&variables)?;
        let says = |key: Key| environment.get(key).is_some();
        environment.from_machine = !says(Key::AccessKeyId)
            && !says(Key::SkipSignature)
            && !says(Key::WebIdentityTokenFile)
            && !says(Key::ContainerCredentialsRelativeUri)
            && !says(Key::ContainerCredentialsFullUri);
        let http = environment.endpoint().is_some_and(|endpoint| endpoint.starts_with("http://"));
        if http {
            // who names such an endpoint has asked for it
            environment.set("aws_allow_http", "true");
        }
        Ok(environment)
    }

    /// Adds what a profile says that the environment does not.
    fn add_profile(&mut self, variables: &BTreeMap<String, String>) -> io::Result<()> {
        let home = std::env::home_dir();
        let file = |variable: &str, name: &str| {
            let named = variables.get(variable).map(PathBuf::from);
            named.or_else(|| Some(home.as_ref()?.join(".aws").join(name)))
        };
        let profile = variables.get("AWS_PROFILE").map(String::as_str);
        let name = profile.unwrap_or("default");
        let mut found = BTreeMap::new();
        for (file, sections) in [
            (file("AWS_CONFIG_FILE", "config"), vec![format!("profile {name}"), name.to_owned()]),
            (file("AWS_SHARED_CREDENTIALS_FILE", "credentials"), vec![name.to_owned()]),
        ] {
            let Some(text) = file.as_deref().map(read).transpose()?.flatten() else { continue };
            found.extend(section(&text, &sections));
        }
        if found.is_empty() && profile.is_some() {
            let what = format!("there is no profile '{name}' (AWS_PROFILE) in the files of credentials");
            return Err(io::Error::new(io::ErrorKind::NotFound, what));
        }
        // keys belong together: half a pair of each place would be nobody's
        let has_keys = ["aws_access_key_id", "aws_secret_access_key", "aws_web_identity_token_file"]
            .iter()
            .any(|name| self.settings.contains_key(*name));
        for name in ["aws_access_key_id", "aws_secret_access_key", "aws_session_token"] {
            if let Some(value) = found.get(name).filter(|_| !has_keys) {
                self.set(name, value);
            }
        }
        for (name, setting, key) in
            [("region", "aws_region", Key::Region), ("endpoint_url", "aws_endpoint_url", Key::Endpoint)]
        {
            let known = self.get(key).is_some()
                || (setting == "aws_region" && self.get(Key::DefaultRegion).is_some());
            if let Some(value) = found.get(name).filter(|_| !known) {
                self.set(setting, value);
            }
        }
        Ok(())
    }

    /// Takes in a setting, if the library below knows it.
    fn set(&mut self, name: &str, value: &str) {
        if let Ok(key) = Key::from_str(name) {
            self.settings.insert(key.as_ref().to_owned(), (key, value.to_owned()));
        }
    }

    fn get(&self, key: Key) -> Option<&str> {
        self.settings.get(key.as_ref()).map(|(_, value)| value.as_str())
    }

    /// The address of the server, where it is not Amazon's.
    pub(crate) fn endpoint(&self) -> Option<&str> {
        self.get(Key::S3Endpoint).or_else(|| self.get(Key::Endpoint))
    }

    /// What is said of a bucket and its server.
    pub(crate) fn bucket(&self) -> impl Iterator<Item = (Key, &str)> {
        let all = self.settings.values().map(|(key, value)| (*key, value.as_str()));
        all.filter(|(key, _)| !matches!(key, Key::Client(_) | Key::Bucket))
    }

    /// What is said of connections.
    pub(crate) fn client(&self) -> impl Iterator<Item = (ClientConfigKey, &str)> {
        self.settings.values().filter_map(|(key, value)| match key {
            Key::Client(key) => Some((*key, value.as_str())),
            _ => None,
        })
    }
}

/// The most that is read of a file, in bytes.
const MOST: u64 = 1 << 20;

/// Reads a file, if it is there.
fn read(path: &Path) -> io::Result<Option<String>> {
    use std::io::Read;
    let mut text = String::new();
    match std::fs::File::open(path).and_then(|file| file.take(MOST).read_to_string(&mut text)) {
        Ok(_) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        // the words of the system do not quote the file
        Err(error) => Err(io::Error::new(error.kind(), format!("{}: {error}", path.display()))),
    }
}

/// The names and values of the sections with one of these names.
fn section(text: &str, names: &[String]) -> BTreeMap<String, String> {
    let (mut values, mut inside) = (BTreeMap::new(), false);
    for line in text.lines() {
        let nested = line.starts_with([' ', '\t']);
        let line = line.trim();
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.split_once(']')).map(|(name, _)| name)
        {
            inside = names.iter().any(|wanted| wanted == name.trim());
        } else if inside
            && !nested
            && !line.starts_with(['#', ';'])
            && let Some((name, value)) = line.split_once('=')
        {
            values.insert(name.trim().to_ascii_lowercase(), value.trim().to_owned());
        }
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn environment(variables: &[(&str, &str)]) -> io::Result<Environment> {
        Environment::read(variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    /// The environment counts before files, keys are not mixed, and a profile is found by its name.
    #[test]
    fn credentials_are_found_where_other_programs_find_them() {
        let place = tempfile::tempdir().unwrap();
        let (config, credentials) = (place.path().join("config"), place.path().join("credentials"));
        fs::write(
            &config,
            "[default]\nregion = here\ns3 =\n  endpoint_url = no\n[profile other]\nregion=there\n",
        )
        .unwrap();
        let keys = "# keys\n[default]\naws_access_key_id = A\naws_secret_access_key = a=/+ \n[other]\naws_access_key_id=B\n\
                    aws_secret_access_key=b\naws_session_token=t\n";
        fs::write(&credentials, keys).unwrap();
        let files = [
            ("AWS_CONFIG_FILE", config.to_str().unwrap()),
            ("AWS_SHARED_CREDENTIALS_FILE", credentials.to_str().unwrap()),
        ];
        let read = |more: &[(&str, &str)]| environment(&[&files, more].concat());
        let of = |more: &[(&str, &str)]| {
            let read = read(more).unwrap();
            let get = |key| read.get(key).unwrap_or_default().to_owned();
            [Key::AccessKeyId, Key::SecretAccessKey, Key::Token, Key::Region].map(get)
        };
        assert_eq!(of(&[]), ["A", "a=/+", "", "here"]);
        assert_eq!(of(&[("AWS_PROFILE", "other")]), ["B", "b", "t", "there"]);
        assert_eq!(of(&[("AWS_ACCESS_KEY_ID", "C")]), ["C", "", "", "here"]);
        assert_eq!(of(&[("AWS_REGION", "far")])[3], "far");
        let missing = read(&[("AWS_PROFILE", "nobody")]).map(drop).unwrap_err().to_string();
        assert!(missing.contains("nobody") && !missing.contains("a="), "{missing}");
    }

    /// Nobody has to ask for plain HTTP twice.
    #[test]
    fn an_endpoint_says_how_it_is_reached() {
        let none = ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null");
        let none = [none, ("AWS_CONFIG_FILE", "/dev/null")];
        let http = |endpoint| {
            let read = environment(&[&none[..], &[("AWS_ENDPOINT_URL", endpoint)]].concat()).unwrap();
            assert!(read.from_machine);
            read.client().any(|(key, value)| key == ClientConfigKey::AllowHttp && value == "true")
        };
        assert!(http("http://127.0.0.1:9000") && !http("https://storage.example"));
    }
}
