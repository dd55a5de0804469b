//! The talk's picture of label propagation: methods on points of the plane, and how their decision
//! boundary spreads.

mod files;
mod picture;
mod recipe;
mod section;
mod shapes;
mod summary;
mod training;

use anyhow::Result;
use data_pipeline::dataset::points::Shape;
use toml::Table;

use crate::recipe::head::Head;
use crate::recipe::{edit, row};
use crate::run::experiment::{Experiment, Findings, Paper};
use crate::run::seeds::{Run, SeedRun, seed_dir};
use files::{chosen, field, film_of, moments, place, sheet_of};
use recipe::Recipe;
use shapes::Scene;

pub(super) const PAPER: Paper = Paper { kind: "label-propagation", read };

struct LabelPropagation {
    head: Head,
    recipe: Recipe,
}

fn read(mut head: Head, own: &Table) -> Result<Box<dyn Experiment>> {
    let mut recipe: Recipe = edit::read(own)?;
    row::choose(&mut head, &mut recipe.rows, &[])?;
    recipe.check(&head.name)?;
    let of_shape = |shape: Shape| {
        let name = move |row: &str| format!("{}, {row}", shape.name());
        recipe.rows.iter().map(move |row| (name(&row.name), row.against.as_deref().map(name)))
    };
    let rows: Vec<_> = recipe.points.shapes.iter().flat_map(|&shape| of_shape(shape)).collect();
    head.check_expectations(&rows)?;
    Ok(Box::new(LabelPropagation { head, recipe }))
}

impl Experiment for LabelPropagation {
    fn head(&self) -> &Head {
        &self.head
    }

    fn rows(&self) -> Vec<(String, String)> {
        row::listed(&self.recipe.rows)
    }

    fn to_toml(&self) -> Result<String> {
        self.head.to_toml(&self.recipe)
    }

    fn run(&self, run: &mut Run<'_>) -> Result<Findings> {
        let outcomes = run.each_seed(
            |seed| {
                let mut found = Vec::new();
                for &shape in &self.recipe.points.shapes {
                    let scene = Scene::draw(shape, &self.recipe.points, seed.seed);
                    for row in &self.recipe.rows {
                        found.push(training::run(&self.recipe, row, &scene, seed)?);
                    }
                    self.draw(shape, &scene, seed)?;
                }
                Ok(found)
            },
            |trainings| summary::line(trainings),
        )?;
        let first = seed_dir(run.dir, run.started.seeds[0]);
        Ok(Findings {
            result: summary::result(&self.head, &self.recipe, run, &outcomes)?,
            sections: summary::sections(&self.recipe, &outcomes, &first)?,
        })
    }
}

impl LabelPropagation {
    /// The pictures of a shape: every row at some moments below each other, and each row's film.
    fn draw(&self, shape: Shape, scene: &Scene, seed: &SeedRun<'_, '_>) -> Result<()> {
        let mut sheet = Vec::new();
        for row in &self.recipe.rows {
            let dir = seed.dir.join(place(shape, row));
            let picture = |step| Ok(picture::draw(&picture::load(&field(&dir, step))?, scene));
            let pictures =
                moments(&self.recipe).into_iter().map(picture).collect::<Result<Vec<_>>>()?;
            let film = picture::film(&pictures)?;
            atomic_file::write(&seed.dir.join(film_of(shape, row)), &film)?;
            sheet.push(chosen(pictures.len()).map(|i| pictures[i].clone()).to_vec());
        }
        let sheet = picture::still(&picture::sheet(&sheet))?;
        Ok(atomic_file::write(&seed.dir.join(sheet_of(shape)), &sheet)?)
    }
}
