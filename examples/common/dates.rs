//! Dates in many forms, for nets that bring them into one.

use gradus::tensor::Rng;

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];
const DAYS: [&str; 7] = ["thursday", "friday", "saturday", "sunday", "monday", "tuesday", "wednesday"];
const LONGEST: usize = "wednesday, september 30, 1970".len();

/// Days from 1970 to 2019, so that two digits tell a year, in eight forms, no line twice; each also as year, month and day
/// behind a mark.
pub(crate) fn dates(count: usize, rng: &mut Rng) -> Vec<[String; 2]> {
    let length = |year: usize, month: usize| match month {
        1 => 28 + usize::from(year.is_multiple_of(4)),
        3 | 5 | 8 | 10 => 30,
        _ => 31,
    };
    let months = (1970..2020).flat_map(|year| (0..12).map(move |month| (year, month)));
    let days = months.flat_map(|(year, month)| (1..=length(year, month)).map(move |day| (year, month, day)));
    // 1 January 1970 was a Thursday.
    let days: Vec<_> = days.zip(DAYS.iter().cycle()).collect();
    let mut drawn: Vec<usize> = (0..8 * days.len()).collect();
    rng.shuffle(&mut drawn);
    let line = |i: usize| {
        let ((year, month, day), weekday) = days[i / 8];
        let (name, month) = (MONTHS[month], month + 1);
        let capital = format!("{}{}", name[..1].to_uppercase(), &name[1..]);
        let question = match i % 8 {
            0 => format!("{name} {day}, {year}"),
            1 => format!("{capital} {day}, {year}"),
            2 => format!("{day} {} {year}", name[..3].to_uppercase()),
            3 => format!("{} {day}, {year}", &capital[..3]),
            4 => format!("{month}/{day}/{:02}", year % 100),
            5 => format!("{month:02}/{day:02}/{year}"),
            6 => format!("{day}.{month}.{year}"),
            _ => format!("{weekday}, {name} {day}, {year}"),
        };
        [format!("{question:<LONGEST$}"), format!("_{year}-{month:02}-{day:02}")]
    };
    drawn.into_iter().take(count).map(line).collect()
}
