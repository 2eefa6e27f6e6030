//! Every property on every input of the committed corpus, whole, and cut at a few places.

use std::path::Path;

use fusee_fuzz::PROPERTIES;

#[test]
fn the_corpus_keeps_every_property() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let mut total = 0;
    for (name, property) in PROPERTIES {
        let mut files = std::fs::read_dir(corpus.join(name))
            .unwrap_or_else(|error| panic!("the corpus of {name}: {error}"))
            .map(|entry| entry.expect("an entry").path())
            .collect::<Vec<_>>();
        files.sort();
        assert!(files.len() >= 10, "{name} has {} inputs", files.len());
        for path in &files {
            let bytes = std::fs::read(path).expect("an input");
            assert!(bytes.len() <= 4096, "{} is larger than a person reads", path.display());
            property(&bytes);
            for cut in [bytes.len() / 3, bytes.len() / 2, bytes.len().saturating_sub(1)] {
                property(&bytes[..cut]);
            }
        }
        println!("{name}: {} inputs", files.len());
        total += files.len();
    }
    println!("{total} inputs in all");
}
