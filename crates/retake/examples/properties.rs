//! Lists what can be set and asked for, for each encoder of this build: `properties [ENCODER]`.

mod common;

use common::{Answer, arguments};
use retake::session::{EncoderSpecification, encoder_list, supported_properties_for_encoder};

fn main() -> Answer {
    run(&arguments())
}

/// What the program does when it is called with these arguments.
pub(crate) fn run(arguments: &[String]) -> Answer {
    let wanted = arguments.first();
    let registry = retake::encoders();
    for entry in encoder_list(&registry) {
        if wanted.is_some_and(|wanted| wanted != entry.encoder_name) {
            continue;
        }
        println!("{} ({}), {}", entry.encoder_name, entry.id, entry.codec_name);
        let specification = EncoderSpecification { encoder: Some(entry.id), ..Default::default() };
        let (_, properties) =
            supported_properties_for_encoder(&registry, 1920, 1080, entry.codec, &specification)?;
        for (key, property) in properties {
            let default = property.default.map_or_else(String::new, |default| format!(" [{default}]"));
            println!("  {key}{default}: {}", property.documentation);
        }
    }
    Ok(())
}
