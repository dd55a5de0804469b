//! A method with its views: from the words of a recipe to a task that can be trained.

use anyhow::{Context, Result, anyhow, ensure};
use augment::policy::Policy;
use ssl_core::{Method, MethodConfig, MethodSettings, TaskInfo, ViewKind, Views};
use train::TrainConfig;
use vision_models::NetConfig;

use super::feedback::Feedback;
use super::setting::Setting;
use super::stored_views::StoredViews;
use super::subset::Subset;
use super::task::ImageTask;
use super::view::view;

/// A network that learns by a method from labelled and, if the method wants them, unlabelled
/// images.
pub(crate) struct Learner<'a> {
    pub(crate) net: &'a NetConfig,
    pub(crate) method: &'a MethodConfig,
    pub(crate) train: &'a TrainConfig,
    /// Unlabelled images of a step for each labelled one.
    pub(crate) unlabeled_ratio: usize,
    pub(crate) weak: &'a Policy,
    pub(crate) strong: &'a Policy,
    /// Views that are stored, to read instead of making them. Their stages have to be frozen
    /// ([`ImageTask::freeze`]).
    pub(crate) stored: Option<&'a StoredParts>,
}

/// Stored views of the images that are learned from, by their kind.
pub(crate) struct StoredParts {
    pub(crate) labeled: Vec<(ViewKind, StoredViews)>,
    pub(crate) unlabeled: Vec<(ViewKind, StoredViews)>,
}

impl<'a> Learner<'a> {
    /// Its training on the data of a setting. Learners share their random numbers, so that they
    /// differ in what they are told alone.
    pub(crate) fn task(&self, setting: &'a Setting<'a>) -> Result<ImageTask<'a>> {
        let data = setting.data;
        self.method.fits_classes(setting.classes()).map_err(|e| anyhow!("method.{e}"))?;
        let method = self.method.build(&TaskInfo {
            classes: setting.classes() as i64,
            unlabeled: data.unlabeled.len() as i64,
            device: setting.device,
        });
        let views = method.views();
        let eval = &setting.shared.evaluate.augment;
        if let Some(stored) = self.stored {
            return self.stored_task(setting, method, views, stored);
        }
        let strong =
            views.labeled == ViewKind::Strong || views.unlabeled.contains(&ViewKind::Strong);
        let feedback = strong.then(|| Feedback::of(self.strong)).flatten();
        let seen = |kind| match (kind, &feedback) {
            (ViewKind::Plain, _) => view(eval),
            (ViewKind::Weak, _) => view(self.weak),
            (ViewKind::Strong, None) => view(self.strong),
            (ViewKind::Strong, Some(feedback)) => feedback.strong(),
        };
        let probe = feedback.as_ref().map(Feedback::probe);
        let labeled = [seen(views.labeled)].into_iter().chain(probe).collect();
        let mut task = ImageTask::new(setting, self.net, self.train, method, eval)
            .stream(&data.labeled, labeled, self.train.batch, "labeled")
            .feedback(feedback.clone());
        if !views.unlabeled.is_empty() {
            let views = views.unlabeled.into_iter().map(seen).collect();
            let (subset, batch) = self.unlabeled(setting)?;
            task = task.stream(subset, views, batch, "unlabeled");
        }
        Ok(task)
    }

    /// The same on stored views.
    fn stored_task(
        &self,
        setting: &'a Setting<'a>,
        method: Box<dyn Method>,
        views: Views,
        stored: &StoredParts,
    ) -> Result<ImageTask<'a>> {
        let of = |part: &[(ViewKind, StoredViews)], kind: ViewKind| {
            let found = part.iter().find(|(known, _)| *known == kind);
            found
                .map(|(_, views)| views.clone())
                .with_context(|| format!("no {kind:?} view is stored"))
        };
        let labeled = vec![of(&stored.labeled, views.labeled)?];
        let eval = &setting.shared.evaluate.augment;
        let mut task = ImageTask::new(setting, self.net, self.train, method, eval).stored_stream(
            &setting.data.labeled,
            labeled,
            self.train.batch,
            "labeled",
        );
        if !views.unlabeled.is_empty() {
            let views = views.unlabeled.iter().map(|kind| of(&stored.unlabeled, *kind));
            let views = views.collect::<Result<_>>()?;
            let (subset, batch) = self.unlabeled(setting)?;
            task = task.stored_stream(subset, views, batch, "unlabeled");
        }
        Ok(task)
    }

    /// The unlabelled images, and how many there are in a step.
    fn unlabeled(&self, setting: &'a Setting<'a>) -> Result<(&'a Subset, usize)> {
        let subset = &setting.data.unlabeled;
        ensure!(subset.len() > 0, "there are no unlabelled images: see [data]");
        Ok((subset, self.train.batch * self.unlabeled_ratio))
    }
}
