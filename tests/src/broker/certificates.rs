//! Certificates for clusters that speak TLS, made anew for each run: an authority, and what it signs.

use std::sync::OnceLock;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};

/// A certificate with its key, in PEM.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The certificate.
    pub certificate: String,
    /// Its key, PKCS#8.
    pub key: String,
}

/// Who signs certificates.
pub struct Authority {
    certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

/// What a certificate is for, beside what is usual.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Flavour {
    /// For 127.0.0.1 and localhost, valid for years.
    #[default]
    Good,
    /// For another host.
    OtherName,
    /// Valid in the past.
    Expired,
}

impl Authority {
    /// The one that the servers of this process are signed by.
    pub fn ours() -> &'static Self {
        static OURS: OnceLock<Authority> = OnceLock::new();
        OURS.get_or_init(|| Self::new("fusee tests"))
    }

    /// A new one, of which nobody has heard.
    pub fn new(name: &str) -> Self {
        let key = KeyPair::generate().expect("the system has random numbers");
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key).expect("sound parameters").pem();
        Self { certificate, issuer: Issuer::new(params, key) }
    }

    /// Its own certificate, in PEM: what a client trusts.
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// A server's certificate.
    pub fn server(&self, flavour: Flavour) -> Identity {
        let names = match flavour {
            Flavour::Good | Flavour::Expired => vec!["127.0.0.1".to_owned(), "localhost".to_owned()],
            Flavour::OtherName => vec!["elsewhere.example".to_owned()],
        };
        let mut params = CertificateParams::new(names).expect("names of hosts");
        if flavour == Flavour::Expired {
            params.not_before = date_time_ymd(2020, 1, 1);
            params.not_after = date_time_ymd(2021, 1, 1);
        }
        // Brokers are clients of name servers, too.
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(params)
    }

    /// A client's certificate.
    pub fn client(&self) -> Identity {
        let mut params = CertificateParams::new(vec!["fusee-client".to_owned()]).expect("a name");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(params)
    }

    fn sign(&self, mut params: CertificateParams) -> Identity {
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        let key = KeyPair::generate().expect("the system has random numbers");
        let certificate = params.signed_by(&key, &self.issuer).expect("sound parameters").pem();
        Identity { certificate, key: key.serialize_pem() }
    }
}
