//! Settings of consumer groups: made one by one or many at once, read as a whole.
//!
//! Laws: what a broker lists keeps the names it has, even those that nobody could make today; so they are texts here.
//! What is read can be written again: no setting of a broker is lost between the two.
//!
//! Sources: Java `SubscriptionGroupConfig`, `GroupRetryPolicy`, `CustomizedRetryPolicy`, `ExponentialRetryPolicy`,
//! `SimpleSubscriptionData`, `SubscriptionGroupList`, `GetSubscriptionGroupConfigRequestHeader`,
//! `GetAllSubscriptionGroupRequestHeader`, `GetAllSubscriptionGroupResponseHeader`, `SubscriptionGroupWrapper`,
//! `DeleteSubscriptionGroupRequestHeader`, `UpdateGroupForbiddenRequestHeader`, `GroupForbidden`; wire.md §3.7, §5.9.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::record::{record, rpc};
use super::topics::DataVersion;
use super::{Rpc, RpcError, success};
use crate::ids::{Group, Topic};
use crate::wire::body;
use crate::wire::codes::RequestCode;
use crate::wire::fields::{FieldSink, FieldSource};
use crate::wire::frame::Frame;
use crate::wire::text::Text;

/// The settings of a consumer group on one broker; a member that is missing has Java's value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GroupConfig {
    /// What brokers since 5.0 know of it beyond the rest. To set one, put `+` before its name; to take it away, `-`.
    #[serde(deserialize_with = "body::or_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, Option<Text>>,
    /// The replica that members read from; 0 is the master.
    pub broker_id: i64,
    /// Whether members may each get all messages.
    #[serde(rename = "consumeBroadcastEnable")]
    pub broadcast: bool,
    /// Whether members get messages at all.
    #[serde(rename = "consumeEnable")]
    pub enabled: bool,
    /// Java's `consumeFromMinEnable`.
    #[serde(rename = "consumeFromMinEnable")]
    pub from_min: bool,
    /// Whether its messages are popped in order; brokers since 5.0.
    #[serde(rename = "consumeMessageOrderly")]
    pub ordered: bool,
    /// How long a member may take for a message, in minutes; brokers since 5.0.
    pub consume_timeout_minute: i32,
    /// The group.
    #[serde(rename = "groupName")]
    pub group: Text,
    /// How long to wait before each further try; brokers since 5.0.
    #[serde(rename = "groupRetryPolicy", skip_serializing_if = "Option::is_none")]
    pub retry_policy: Option<RetryPolicy>,
    /// The system flag; brokers since 5.0.
    #[serde(rename = "groupSysFlag")]
    pub sys_flag: i32,
    /// Whether members hear at once that others came or went.
    #[serde(rename = "notifyConsumerIdsChangedEnable")]
    pub notify_members: bool,
    /// After how many tries in vain a message becomes a dead letter.
    #[serde(rename = "retryMaxTimes")]
    pub retries: i32,
    /// How many queues the topic of its retries has.
    #[serde(rename = "retryQueueNums")]
    pub retry_queues: i32,
    /// What it is subscribed to once for all, instead of what its members say; brokers since 5.0.
    #[serde(rename = "subscriptionDataSet", skip_serializing_if = "Option::is_none")]
    pub subscriptions: Option<Vec<FixedSubscription>>,
    /// The replica that a member reads from which is far behind.
    #[serde(rename = "whichBrokerWhenConsumeSlowly")]
    pub slow_broker_id: i64,
}

impl Default for GroupConfig {
    fn default() -> Self {
        Self {
            attributes: BTreeMap::new(),
            broker_id: 0,
            broadcast: true,
            enabled: true,
            from_min: true,
            ordered: false,
            consume_timeout_minute: 15,
            group: Text::EMPTY,
            retry_policy: None,
            sys_flag: 0,
            notify_members: true,
            retries: 16,
            retry_queues: 1,
            subscriptions: None,
            slow_broker_id: 1,
        }
    }
}

impl GroupConfig {
    /// A group with Java's settings.
    #[must_use]
    pub fn of(group: &Group) -> Self {
        Self { group: Text::from(String::from(group.as_str())), ..Self::default() }
    }

    /// Java makes no group without a name.
    fn named(self) -> Result<Self, RpcError> {
        if self.group.is_empty() { Err(RpcError::Malformed("groupName")) } else { Ok(self) }
    }
}

/// How long to wait before each further try of a message.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetryPolicy {
    /// Counts for `CUSTOMIZED`; without it the broker has its own waits.
    #[serde(rename = "customizedRetryPolicy", default, skip_serializing_if = "Option::is_none")]
    pub customized: Option<CustomizedRetry>,
    /// Counts for `EXPONENTIAL`.
    #[serde(rename = "exponentialRetryPolicy", default, skip_serializing_if = "Option::is_none")]
    pub exponential: Option<ExponentialRetry>,
    /// `CUSTOMIZED` or `EXPONENTIAL`.
    #[serde(rename = "type", default, deserialize_with = "body::or_default")]
    pub kind: Text,
}

/// Waits one by one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomizedRetry {
    /// The waits in milliseconds; the last one goes on.
    #[serde(rename = "next", default, deserialize_with = "body::or_default")]
    pub waits_ms: Vec<i64>,
}

/// Waits that grow by a factor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ExponentialRetry {
    /// The first wait, in milliseconds.
    #[serde(rename = "initial")]
    pub first_ms: i64,
    /// The longest wait, in milliseconds.
    #[serde(rename = "max")]
    pub longest_ms: i64,
    /// What a wait is times the one before.
    #[serde(rename = "multiplier")]
    pub factor: i64,
}

impl Default for ExponentialRetry {
    fn default() -> Self {
        Self { first_ms: 5_000, longest_ms: 7_200_000, factor: 2 }
    }
}

/// A topic that a group is subscribed to by its settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FixedSubscription {
    /// The expression; `*` for everything.
    #[serde(default, deserialize_with = "body::or_default")]
    pub expression: Text,
    /// `TAG` or `SQL92`.
    #[serde(rename = "expressionType", default, deserialize_with = "body::or_default")]
    pub expression_type: Text,
    /// The topic.
    #[serde(default, deserialize_with = "body::or_default")]
    pub topic: Text,
    /// Grows when the subscription changes.
    #[serde(default)]
    pub version: i64,
}

/// Makes a consumer group on one broker, or changes it (200).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateGroup {
    /// Its settings.
    pub config: GroupConfig,
}

impl Rpc for CreateGroup {
    const CODE: i32 = RequestCode::UPDATE_AND_CREATE_SUBSCRIPTIONGROUP.0;
    type Reply = ();

    fn fields(&self, _: &mut impl FieldSink) {}

    fn body(&self) -> Bytes {
        body::json(&self.config)
    }

    fn read(frame: &Frame) -> Result<Self, RpcError> {
        let config = body::parse::<GroupConfig>(&frame.body)?.named()?;
        Ok(Self { config })
    }

    fn reply(frame: &Frame) -> Result<(), RpcError> {
        success(frame)
    }
}

/// Makes many consumer groups on one broker, or changes them (225); since 5.3.1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreateGroups {
    /// Their settings.
    #[serde(rename = "groupConfigList")]
    pub groups: Vec<GroupConfig>,
}

impl Rpc for CreateGroups {
    const CODE: i32 = RequestCode::UPDATE_AND_CREATE_SUBSCRIPTIONGROUP_LIST.0;
    type Reply = ();

    fn fields(&self, _: &mut impl FieldSink) {}

    fn body(&self) -> Bytes {
        body::json(self)
    }

    fn read(frame: &Frame) -> Result<Self, RpcError> {
        let read = body::parse_admin::<Self>(&frame.body)?;
        let groups = read.groups.into_iter().map(GroupConfig::named).collect::<Result<_, _>>()?;
        Ok(Self { groups })
    }

    fn reply(frame: &Frame) -> Result<(), RpcError> {
        success(frame)
    }
}

record! {
    /// Deletes a consumer group on one broker (207).
    DeleteGroup {
        /// The group.
        group: Group = "groupName",
        /// Whether its offsets go too.
        clean_offsets: bool = "cleanOffset",
    }
}

/// What brokers before 5.0 call `cleanOffset`.
const CLEAN_OFFSETS_OF_4: &str = "removeOffset";

impl Rpc for DeleteGroup {
    const CODE: i32 = RequestCode::DELETE_SUBSCRIPTIONGROUP.0;
    type Reply = ();

    fn fields(&self, out: &mut impl FieldSink) {
        self.write_fields(out);
        out.flag(CLEAN_OFFSETS_OF_4, self.clean_offsets);
    }

    fn read(frame: &Frame) -> Result<Self, RpcError> {
        let fields = &frame.header.fields;
        let read = Self::read_fields(fields)?;
        Ok(Self { clean_offsets: read.clean_offsets || fields.flag(CLEAN_OFFSETS_OF_4), ..read })
    }

    fn reply(frame: &Frame) -> Result<(), RpcError> {
        success(frame)
    }
}

rpc! {
    /// Asks a broker for a group's settings (352); since 5.0. What it does not have is code 26.
    GetGroupConfig = GET_SUBSCRIPTIONGROUP_CONFIG -> GroupConfig, |frame: &Frame| {
        success(frame)?;
        body::parse::<GroupConfig>(&frame.body)?.named()
    }; {
        /// The group.
        group: Group = "group",
    }
}

/// The settings of the groups of a broker, all of them or a page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupConfigs {
    /// How many groups there are in all; brokers since 5.5.
    pub total: Option<i32>,
    /// The state of the table.
    pub version: DataVersion,
    /// The groups, by name.
    pub groups: Vec<GroupConfig>,
    /// What groups may not do, by group and then by topic; 4 says that it may not be read. Brokers since 5.0.
    pub forbidden: BTreeMap<String, BTreeMap<String, i32>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GroupConfigsBody {
    #[serde(default, deserialize_with = "body::or_default")]
    data_version: DataVersion,
    #[serde(default, deserialize_with = "body::or_default")]
    forbidden_table: BTreeMap<String, BTreeMap<String, i32>>,
    #[serde(default, deserialize_with = "body::or_default")]
    subscription_group_table: BTreeMap<String, GroupConfig>,
}

rpc! {
    /// Asks a broker for the settings of its groups (201). With nothing set, or before 5.5, all of them come.
    GetGroupConfigs = GET_ALL_SUBSCRIPTIONGROUP_CONFIG -> GroupConfigs, |frame: &Frame| {
        success(frame)?;
        let read = body::parse_admin::<GroupConfigsBody>(&frame.body)?;
        Ok(GroupConfigs {
            total: frame.header.fields.int("totalGroupNum")?,
            version: read.data_version,
            groups: read.subscription_group_table.into_values().collect(),
            forbidden: read.forbidden_table,
        })
    }; {
        /// How many groups to pass over; counts only beside the version of the page before.
        skip: Option<i32> = "groupSeq",
        /// How many to give at most.
        most: Option<i32> = "maxGroupNum",
        /// The [`DataVersion`] of the page before, as it travels. The first page comes again if the table has changed.
        version: Option<Text> = "dataVersion",
    }
}

#[derive(Deserialize)]
struct ForbiddenBody {
    #[serde(default)]
    readable: Option<bool>,
}

rpc! {
    /// Lets a group read a topic or not, and says whether it may now (353); since 5.0. Brokers keep this for groups and
    /// topics that they do not have, too.
    UpdateForbidden = UPDATE_AND_GET_GROUP_FORBIDDEN -> bool, |frame: &Frame| {
        success(frame)?;
        body::parse::<ForbiddenBody>(&frame.body)?.readable.ok_or(RpcError::Malformed("readable"))
    }; {
        /// The group.
        group: Group = "group",
        /// The topic.
        topic: Topic = "topic",
        /// Whether it may; `None` changes nothing.
        readable: Option<bool> = "readable",
    }
}
