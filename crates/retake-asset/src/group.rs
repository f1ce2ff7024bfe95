use crate::error::{Mistake, UsageError};
use crate::input::AssetWriterInput;
use crate::media::MediaType;
use crate::status::WriterStatus;
use crate::writer::AssetWriter;

/// Inputs of one media type of which a player gives one at a time: the same sound in several languages, for one.
#[doc(alias = "AVAssetWriterInputGroup")]
#[derive(Debug, Clone)]
pub struct AssetWriterInputGroup {
    inputs: Vec<AssetWriterInput>,
    default: Option<AssetWriterInput>,
}

impl AssetWriterInputGroup {
    /// A group of inputs, with the one that is given unless the viewer says otherwise.
    ///
    /// # Errors
    /// [`Mistake::BadValue`] for fewer than two inputs, one that is there twice, or a default that is not among them.
    #[doc(alias = "initWithInputs:defaultInput:")]
    pub fn new(inputs: Vec<AssetWriterInput>, default: Option<AssetWriterInput>) -> Result<Self, UsageError> {
        let wrong =
            |what| Err(UsageError { call: "AssetWriterInputGroup::new", mistake: Mistake::BadValue(what) });
        if inputs.len() < 2 {
            return wrong("a group has two inputs at least");
        }
        if (1..inputs.len()).any(|index| inputs[..index].contains(&inputs[index])) {
            return wrong("an input is once in a group");
        }
        if default.as_ref().is_some_and(|default| !inputs.contains(default)) {
            return wrong("the default input of a group is one of its inputs");
        }
        Ok(Self { inputs, default })
    }

    /// Its inputs.
    pub fn inputs(&self) -> &[AssetWriterInput] {
        &self.inputs
    }

    /// The one that is given unless the viewer says otherwise.
    #[doc(alias = "defaultInput")]
    pub fn default_input(&self) -> Option<&AssetWriterInput> {
        self.default.as_ref()
    }
}

impl AssetWriter {
    /// Whether [`add_group`](Self::add_group) would take the group.
    #[doc(alias = "canAddInputGroup:")]
    pub fn can_add_group(&self, group: &AssetWriterInputGroup) -> bool {
        self.status() == WriterStatus::Unknown && self.group_refusal(group).is_none()
    }

    /// Makes inputs of this writer alternatives of each other. The default input's track is enabled then and those of the others are not, which
    /// can no longer be set by hand.
    ///
    /// # Errors
    /// [`Mistake::Status`] once it has started, [`Mistake::NotAttached`] for an input that was not added to this writer, [`Mistake::CannotAdd`] for a
    /// container without groups, inputs of several media types, and one that is in a group already.
    #[doc(alias = "addInputGroup:")]
    pub fn add_group(&self, group: &AssetWriterInputGroup) -> Result<(), UsageError> {
        const CALL: &str = "add_group";
        let refusal = self.group_refusal(group);
        self.shared().change(|core| {
            if core.status != WriterStatus::Unknown {
                return Err(core.wrong_status(CALL, "not started"));
            }
            if let Some(mistake) = refusal {
                return Err(UsageError { call: CALL, mistake });
            }
            for input in &group.inputs {
                input.join_group(group.default.as_ref() == Some(input));
            }
            core.groups.push(group.clone());
            Ok(())
        })
    }

    /// All groups, in the order they were added.
    #[doc(alias = "inputGroups")]
    pub fn input_groups(&self) -> Vec<AssetWriterInputGroup> {
        self.shared().look(|core| core.groups.clone())
    }

    fn group_refusal(&self, group: &AssetWriterInputGroup) -> Option<Mistake> {
        let (own, segments) = self.shared().look(|core| (core.inputs(), core.target.segments.is_some()));
        let types: Vec<MediaType> = group.inputs.iter().map(AssetWriterInput::media_type).collect();
        match group {
            _ if !self.container().is_iso() || segments => {
                Some(Mistake::CannotAdd("the container has no groups of tracks"))
            }
            _ if types.iter().any(|media_type| *media_type != types[0]) => {
                Some(Mistake::CannotAdd("the inputs of a group are of one media type"))
            }
            _ if group.inputs.iter().any(|input| !own.contains(input)) => Some(Mistake::NotAttached),
            _ if group.inputs.iter().any(AssetWriterInput::is_grouped) => {
                Some(Mistake::CannotAdd("an input is in one group only"))
            }
            _ => None,
        }
    }
}
