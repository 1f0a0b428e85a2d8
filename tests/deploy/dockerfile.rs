//! A Dockerfile as stages and instructions, as far as the rules need it.

use std::collections::BTreeSet;

/// Where the real one is.
pub(crate) const FILE: &str = "deploy/Dockerfile";

/// One `FROM … AS …` with what follows it.
pub(crate) struct Stage {
    pub(crate) from: String,
    pub(crate) name: String,
    /// Instruction and its arguments.
    pub(crate) lines: Vec<(String, String)>,
}

pub(crate) struct Dockerfile(pub(crate) Vec<Stage>);

impl Dockerfile {
    pub(crate) fn parse(text: &str) -> Self {
        let joined = text.replace("\\\n", " ");
        let mut stages: Vec<Stage> = Vec::new();
        for line in joined.lines().map(str::trim) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (word, rest) = line.split_once(' ').expect("an instruction has arguments");
            let words: Vec<&str> = rest.split_whitespace().collect();
            if word == "FROM" {
                let [from, "AS", name] = words[..] else { panic!("name the stage: {line}") };
                let (from, name) = (from.to_owned(), name.to_owned());
                stages.push(Stage { from, name, lines: Vec::new() });
            } else {
                let stage = stages.last_mut().expect("a stage comes first");
                stage.lines.push((word.to_owned(), rest.trim().to_owned()));
            }
        }
        Self(stages)
    }

    pub(crate) fn real() -> Self {
        Self::parse(&super::read(FILE))
    }

    pub(crate) fn stage(&self, name: &str) -> Option<&Stage> {
        self.0.iter().find(|stage| stage.name == name)
    }

    /// The images of others it builds upon.
    pub(crate) fn base_images(&self) -> BTreeSet<&str> {
        let is_earlier = |at: usize, from: &str| self.0[..at].iter().any(|it| it.name == from);
        let stages = self.0.iter().enumerate();
        stages
            .filter(|(at, stage)| !is_earlier(*at, &stage.from))
            .map(|(_, stage)| stage.from.as_str())
            .collect()
    }

    /// As whom the image of a stage runs: its own last word on it, or that of what it is built on.
    pub(crate) fn user(&self, name: &str) -> Option<&str> {
        let stage = self.stage(name)?;
        let own = stage.lines.iter().rev().find(|(word, _)| word == "USER");
        let inherited = || (stage.from != name).then(|| self.user(&stage.from)).flatten();
        own.map(|(_, user)| user.as_str()).or_else(inherited)
    }

    /// What is copied out of the checkout.
    pub(crate) fn copied(&self) -> BTreeSet<&str> {
        let lines = self.0.iter().flat_map(|stage| &stage.lines);
        let copies = lines.filter(|(word, rest)| word == "COPY" && !rest.starts_with("--from"));
        copies
            .flat_map(|(_, rest)| {
                let words: Vec<&str> = rest.split_whitespace().collect();
                words[..words.len() - 1].to_vec()
            })
            .collect()
    }
}
