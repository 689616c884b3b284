//! A link's settings as librdkafka takes them.

use anyhow::Result;

use super::{Identity, Mode, Tls};

impl Tls {
    /// librdkafka's settings for it.
    ///
    /// # Errors
    /// Exit 78: a file cannot be read, or is not what it should be.
    pub fn for_kafka(&self, has_login: bool) -> Result<Vec<(&'static str, String)>> {
        if !self.is_on() {
            return Ok(Vec::new());
        }
        // What is wrong with the files is said in the same words for every link.
        self.builder()?;
        let protocol = if has_login { "SASL_SSL" } else { "SSL" };
        let name = if self.mode == Mode::VerifyFull { "https" } else { "none" };
        let mut settings = vec![
            ("security.protocol", protocol.to_owned()),
            ("enable.ssl.certificate.verification", (self.mode != Mode::Require).to_string()),
            ("ssl.endpoint.identification.algorithm", name.to_owned()),
        ];
        settings.extend(self.ca_file.iter().map(|file| ("ssl.ca.location", file.display().to_string())));
        if let Some(Identity { cert_file, key_file, key_password }) = &self.identity {
            settings.push(("ssl.certificate.location", cert_file.display().to_string()));
            settings.push(("ssl.key.location", key_file.display().to_string()));
            if !key_password.reveal().is_empty() {
                settings.push(("ssl.key.password", key_password.reveal().to_owned()));
            }
        }
        Ok(settings)
    }
}
