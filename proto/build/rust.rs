//! Messages, clients and servers, as prost and tonic generate them.

use std::path::Path;

use prost_build::{Service, ServiceGenerator};

use crate::redacted;
use crate::sources::Sources;

/// Writes one file for each package into `out`.
pub(crate) fn generate(sources: &Sources, out: &Path) -> anyhow::Result<()> {
    let with_secrets = redacted::messages(&sources.pool)?;
    let mut config = prost_build::Config::new();
    config
        .out_dir(out)
        .include_file("packages.rs")
        .bytes(["."])
        .skip_debug(with_secrets.iter().map(|message| format!(".{}", message.full_name())))
        .service_generator(Box::new(Services {
            public: public_services(sources),
            complete: tonic_prost_build::configure().service_generator(),
            stubbed: tonic_prost_build::configure()
                .generate_default_stubs(true)
                .service_generator(),
        }))
        .compile_fds(sources.files.clone())?;
    Ok(())
}

/// Generates a server trait that asks for every method, except for the services of the public
/// API: those declare the whole contract, also what the edge answers itself and what nobody
/// answers yet, so a method that a server does not have answers UNIMPLEMENTED.
struct Services {
    public: Vec<(String, String)>,
    complete: Box<dyn ServiceGenerator>,
    stubbed: Box<dyn ServiceGenerator>,
}

impl ServiceGenerator for Services {
    fn generate(&mut self, service: Service, buffer: &mut String) {
        let public = self
            .public
            .iter()
            .any(|(package, name)| *package == service.package && *name == service.proto_name);
        let generator = if public { &mut self.stubbed } else { &mut self.complete };
        generator.generate(service, buffer);
    }

    fn finalize(&mut self, buffer: &mut String) {
        self.complete.finalize(buffer);
    }

    fn finalize_package(&mut self, package: &str, buffer: &mut String) {
        self.complete.finalize_package(package, buffer);
    }
}

fn public_services(sources: &Sources) -> Vec<(String, String)> {
    let Some(api) = sources.pool.get_extension_by_name("cordboard.options.v1.api") else {
        return Vec::new();
    };
    sources
        .pool
        .services()
        .filter(|service| service.methods().any(|method| method.options().has_extension(&api)))
        .map(|service| (service.package_name().to_owned(), service.name().to_owned()))
        .collect()
}
