//! Weights as shades: which letters a net looks at while it writes others.

use super::picture::{GRID, grey, picture, text};
use plotters::{prelude::*, style::text_anchor::HPos};
use std::{error::Error, path::Path};

/// The side of a cell, in pixels, and the space around each map.
const CELL: i32 = 22;
const MARGIN: i32 = 44;

/// Letters above the columns, letters before the rows, and the weights, row by row, from 0 for paper to 1 for ink.
pub(crate) struct Heat {
    pub(crate) columns: String,
    pub(crate) rows: String,
    pub(crate) weights: Vec<f32>,
}

/// Draws such maps into an SVG file, one below the other.
pub(crate) fn heat_maps(path: impl AsRef<Path>, title: &str, maps: &[Heat]) -> Result<(), Box<dyn Error>> {
    let size = |texts: &str| CELL * texts.chars().count() as i32;
    let widest = maps.iter().map(|map| size(&map.columns)).max().unwrap_or(0);
    let width = (widest + 2 * MARGIN).max(13 * title.chars().count() as i32);
    let height = 20 + maps.iter().map(|map| MARGIN + size(&map.rows)).sum::<i32>() + MARGIN / 2;
    picture(path, (width as usize, height as usize), title, |root| {
        let mut top = 20;
        for map in maps {
            top += MARGIN;
            let left = (width - size(&map.columns)) / 2;
            let at = |column: i32, row: i32| (left + CELL * column, top + CELL * row);
            let letter = |letter: char, (x, y): (i32, i32)| {
                Text::new(letter.to_string(), (x + CELL / 2, y + CELL / 2), text(17.0, HPos::Center))
            };
            for (column, name) in (0..).zip(map.columns.chars()) {
                root.draw(&letter(name, at(column, -1)))?;
            }
            for (row, name) in (0..).zip(map.rows.chars()) {
                root.draw(&letter(name, at(-1, row)))?;
            }
            let columns = map.columns.chars().count();
            for (i, &weight) in map.weights.iter().enumerate() {
                let (column, row) = ((i % columns) as i32, (i / columns) as i32);
                let corners = [at(column, row), at(column + 1, row + 1)];
                root.draw(&Rectangle::new(corners, grey(weight.into()).filled()))?;
                root.draw(&Rectangle::new(corners, GRID))?;
            }
            top += size(&map.rows);
        }
        Ok(())
    })
}
