//! The options of an example: each named once, with its help.

use std::{
    error::Error,
    ffi::OsString,
    fmt::{Debug, Display},
    io::Write,
    ops::RangeBounds,
    process::exit,
    str::FromStr,
};

/// Options that set variables, whose initial values are the defaults:
///
/// ```ignore
/// let (mut epochs, mut quick) = (10, false);
/// Args::new("Trains a small convolutional net on handwritten digits.")
///     .option("epochs", &mut epochs, 1..=1000, "passes over the training set")
///     .flag("quick", &mut quick, "use a tenth of the data")
///     .parse();
/// ```
pub(crate) struct Args<'a> {
    about: &'a str,
    options: Vec<Opt<'a>>,
}

struct Opt<'a> {
    name: &'a str,
    help: String,
    set: Set<'a>,
}

/// Sets a variable from a word, or says why it cannot.
type Setter<'a> = dyn FnMut(&str) -> Result<(), String> + 'a;

enum Set<'a> {
    Flag(&'a mut bool),
    Value(Box<Setter<'a>>),
}

/// What the command line asks for.
enum Wish {
    Run,
    Help,
}

impl<'a> Args<'a> {
    /// No options yet, and a sentence on what the example does.
    pub(crate) fn new(about: &'a str) -> Args<'a> {
        Args { about, options: Vec::new() }
    }

    /// `--name VALUE` sets `value`, which must be in the range; `..` allows everything.
    pub(crate) fn option<T>(
        mut self,
        name: &'a str,
        value: &'a mut T,
        allowed: impl RangeBounds<T> + Debug + 'a,
        help: &str,
    ) -> Args<'a>
    where
        T: FromStr<Err: Display> + Display + PartialOrd,
    {
        let default = value.to_string();
        let help = if default.is_empty() { help.to_owned() } else { format!("{help} (default {default})") };
        let set = move |text: &str| {
            let new: T = text.parse().map_err(|error: T::Err| error.to_string())?;
            if !allowed.contains(&new) {
                return Err(format!("must be in {allowed:?}"));
            }
            *value = new;
            Ok(())
        };
        self.options.push(Opt { name, help, set: Set::Value(Box::new(set)) });
        self
    }

    /// `--name` sets `value`.
    pub(crate) fn flag(mut self, name: &'a str, value: &'a mut bool, help: &str) -> Args<'a> {
        self.options.push(Opt { name, help: help.to_owned(), set: Set::Flag(value) });
        self
    }

    /// Reads the command line. Ends the program after `--help`, and with status 2 and a sentence on stderr when
    /// something is wrong with it.
    pub(crate) fn parse(self) {
        let mut words = std::env::args_os();
        let program = words.next().unwrap_or_default();
        let program = std::path::Path::new(&program).file_stem().unwrap_or_default().display().to_string();
        let help = self.help(&program);
        // A closed stdout or stderr is no reason to fail on the way out.
        match self.read(words) {
            Ok(Wish::Run) => {}
            Ok(Wish::Help) => {
                let _ = std::io::stdout().write_all(help.as_bytes());
                exit(0)
            }
            Err(error) => {
                let _ = writeln!(std::io::stderr(), "{program}: {error} (--help lists the options)");
                exit(2)
            }
        }
    }

    fn help(&self, program: &str) -> String {
        let form = |option: &Opt<'_>| match option.set {
            Set::Flag(_) => format!("--{}", option.name),
            Set::Value(_) => format!("--{} VALUE", option.name),
        };
        let lines = self.options.iter().map(|option| (form(option), option.help.as_str()));
        let lines: Vec<_> = lines.chain([("--help".to_owned(), "show this text")]).collect();
        let width = lines.iter().map(|(form, _)| form.len()).max().unwrap_or(0);
        let lines: String = lines.iter().map(|(form, help)| format!("  {form:width$}  {help}\n")).collect();
        format!("{}\n\nUsage: {program} [OPTIONS]\n\n{lines}", self.about)
    }

    fn read(mut self, words: impl IntoIterator<Item = OsString>) -> Result<Wish, Box<dyn Error>> {
        let mut parser = lexopt::Parser::from_args(words);
        while let Some(arg) = parser.next()? {
            let lexopt::Arg::Long(name) = arg else { return Err(arg.unexpected().into()) };
            if name == "help" {
                return Ok(Wish::Help);
            }
            let Some(option) = self.options.iter_mut().find(|option| option.name == name) else {
                return Err(arg.unexpected().into());
            };
            match &mut option.set {
                Set::Flag(value) => **value = true,
                Set::Value(set) => {
                    let text = parser.value()?;
                    let text = text.to_string_lossy();
                    set(&text).map_err(|reason| format!("--{} {text}: {reason}", option.name))?;
                }
            }
        }
        Ok(Wish::Run)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split_whitespace().map(OsString::from).collect()
    }

    /// What a command line sets, or the sentence that refuses it.
    fn read(line: &str) -> Result<(usize, f32, String, bool), String> {
        let (mut epochs, mut lr, mut out, mut quick) = (10, 0.1, String::new(), false);
        Args::new("Trains.")
            .option("epochs", &mut epochs, 1.., "passes")
            .option("lr", &mut lr, 0.0..=1.0, "step size")
            .option("out", &mut out, .., "picture")
            .flag("quick", &mut quick, "less data")
            .read(words(line))
            .map_err(|error| error.to_string())?;
        Ok((epochs, lr, out, quick))
    }

    #[test]
    fn options_set_their_variables_and_leave_the_others() {
        assert_eq!(read("").unwrap(), (10, 0.1, String::new(), false));
        assert_eq!(
            read("--epochs 3 --quick --lr=0.5 --out a.svg").unwrap(),
            (3, 0.5, "a.svg".to_owned(), true)
        );
        assert_eq!(read("--epochs 3 --epochs 4").unwrap().0, 4);
    }

    #[test]
    fn what_is_wrong_is_refused_in_a_sentence() {
        for (line, sentence) in [
            ("--epoch 3", "invalid option '--epoch'"),
            ("-e", "invalid option '-e'"),
            ("3", "unexpected argument \"3\""),
            ("--epochs", "missing argument for option '--epochs'"),
            ("--epochs three", "--epochs three: invalid digit found in string"),
            ("--epochs 0", "--epochs 0: must be in 1.."),
            ("--lr NaN", "--lr NaN: must be in 0.0..=1.0"),
            ("--quick=yes", "unexpected argument for option '--quick': \"yes\""),
        ] {
            assert_eq!(read(line).unwrap_err(), sentence);
        }
    }

    #[test]
    fn help_lists_every_option_with_its_default() {
        let (mut epochs, mut quick) = (10, false);
        let args = Args::new("Trains.").option("epochs", &mut epochs, 1.., "passes").flag(
            "quick",
            &mut quick,
            "less data",
        );
        let text = "Trains.\n\nUsage: digits [OPTIONS]\n\n  --epochs VALUE  passes (default 10)\n  --quick         less data\n  --help          show this text\n";
        assert_eq!(args.help("digits"), text);
        assert!(matches!(args.read(words("--quick --help --nonsense")), Ok(Wish::Help)));
    }
}
