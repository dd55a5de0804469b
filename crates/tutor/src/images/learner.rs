//! A method with its views: from the words of a recipe to a task that can be trained.

use anyhow::{Result, ensure};
use augment::policy::Policy;
use ssl_core::{Config, MethodConfig, TaskInfo, ViewKind};
use train::TrainConfig;
use vision_models::NetConfig;

use super::feedback::Feedback;
use super::setting::Setting;
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
}

impl<'a> Learner<'a> {
    /// Its training on the data of a setting. Learners share their random numbers, so that they
    /// differ in what they are told alone.
    pub(crate) fn task(&self, setting: &'a Setting<'a>) -> Result<ImageTask<'a>> {
        let data = setting.data;
        let method = self.method.build(&TaskInfo {
            classes: setting.classes() as i64,
            unlabeled: data.unlabeled.len() as i64,
            device: setting.device,
        });
        let views = method.views();
        let strong =
            views.labeled == ViewKind::Strong || views.unlabeled.contains(&ViewKind::Strong);
        let feedback = strong.then(|| Feedback::of(self.strong)).flatten();
        let eval = &setting.shared.evaluate.augment;
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
            ensure!(data.unlabeled.len() > 0, "there are no unlabelled images: see [data]");
            let batch = self.train.batch * self.unlabeled_ratio;
            let views = views.unlabeled.into_iter().map(seen).collect();
            task = task.stream(&data.unlabeled, views, batch, "unlabeled");
        }
        Ok(task)
    }
}
