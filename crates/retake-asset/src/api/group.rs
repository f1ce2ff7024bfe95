use super::input::AssetWriterInput;
use super::writer::AssetWriter;
use crate::state::GroupMember;
use crate::types::error::{Mistake, UsageError};

/// Inputs of one media type of which a player gives one at a time: the same sound in several languages, for
/// one.
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
    /// [`Mistake::BadValue`](crate::Mistake::BadValue) for fewer than two inputs, one that is there twice, or
    /// a default that is not among them.
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
        let members = self.members(group);
        self.shared().look(|state| state.is_idle() && state.refuses_group(&members).is_none())
    }

    /// Makes inputs of this writer alternatives of each other. The default input's track is enabled then and
    /// those of the others are not, which can no longer be set by hand.
    ///
    /// # Errors
    /// [`Mistake::Status`](crate::Mistake::Status) once it has started,
    /// [`Mistake::NotAttached`](crate::Mistake::NotAttached) for an input that was not added to this writer,
    /// [`Mistake::CannotAdd`](crate::Mistake::CannotAdd) for a container without groups, inputs of several
    /// media types, and one that is in a group already.
    #[doc(alias = "addInputGroup:")]
    pub fn add_group(&self, group: &AssetWriterInputGroup) -> Result<(), UsageError> {
        let members = self.members(group);
        let default = group.inputs.iter().position(|input| group.default.as_ref() == Some(input));
        // held until it is in both lists, so that they are in one order
        let mut handles = self.handles();
        self.shared().change(|state| state.add_group("add_group", &members, default))?;
        handles.groups.push(group.clone());
        Ok(())
    }

    /// All groups, in the order they were added.
    #[doc(alias = "inputGroups")]
    pub fn input_groups(&self) -> Vec<AssetWriterInputGroup> {
        self.handles().groups.clone()
    }

    fn members(&self, group: &AssetWriterInputGroup) -> Vec<GroupMember> {
        let member = |input: &AssetWriterInput| GroupMember {
            id: input.id_in(self.shared()),
            media_type: input.media_type(),
        };
        group.inputs.iter().map(member).collect()
    }
}
