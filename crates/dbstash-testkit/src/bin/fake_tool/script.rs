//! Which lines of a script a call follows.

/// The steps for a call with these arguments.
pub(crate) fn select<'s>(script: &'s str, args: &[String]) -> Vec<&'s str> {
    let mut preamble = Vec::new();
    let mut sections: Vec<(Option<Vec<&str>>, Vec<&str>)> = Vec::new();
    let lines = script.lines().map(str::trim_start);
    for line in lines.filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(words) = line.strip_prefix("when ") {
            sections.push((Some(words.split_whitespace().collect()), Vec::new()));
        } else if line == "otherwise" {
            sections.push((None, Vec::new()));
        } else {
            let steps = sections.last_mut().map_or(&mut preamble, |(_, steps)| steps);
            steps.push(line);
        }
    }
    let fits = |words: &[&str]| words.iter().all(|word| args.iter().any(|arg| matches(word, arg)));
    let section = sections
        .iter()
        .find(|(words, _)| words.as_ref().is_some_and(|words| fits(words)))
        .or_else(|| sections.iter().find(|(words, _)| words.is_none()));
    if let Some((_, steps)) = section {
        preamble.extend(steps);
    }
    preamble
}

/// Whether `text` is `pattern`, in which `*` stands for any text.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, rest)) => text.strip_prefix(start).is_some_and(|text| {
            (0..=text.len())
                .filter(|at| text.is_char_boundary(*at))
                .any(|at| matches(rest, &text[at..]))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(args: &[&str]) -> String {
        let script = "out always\n\n# a comment\nwhen rcat *.json\n  exit 1\n\
            when rcat\nexit 2\notherwise\nexit 3";
        let args: Vec<String> = args.iter().map(|&arg| arg.into()).collect();
        select(script, &args).join("; ")
    }

    #[test]
    fn the_first_section_that_fits_is_followed() {
        assert_eq!(steps(&["rcat", "r:a.json"]), "out always; exit 1");
        assert_eq!(steps(&["--x", "rcat", "r:a"]), "out always; exit 2");
        assert_eq!(steps(&["lsjson", "r:a.json"]), "out always; exit 3");
    }

    #[test]
    fn a_star_is_any_text() {
        assert!(matches("*.tmp/*.part", "r:b/.tmp/a.part") && matches("a*", "a"));
        assert!(!matches("*.part", "a.parts") && !matches("a", "ab"));
    }
}
