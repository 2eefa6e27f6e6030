//! What travels from the machine to a connection: one enum of typed requests, encoded there, once; and our answers to
//! what brokers ask.
//!
//! Laws: nothing is encoded twice, and a body is never copied unless the caller asks for one buffer. Encoding either
//! appends a whole head or nothing. Every code of the protocol's dossier that has a type here is listed once.
//!
//! Sources: Java `RemotingCommand#encodeHeader`, `RequestCode`, `NettyRemotingAbstract#processRequestCommand` for what
//! an answer carries; wire.md §2, §3.1.

use alloc::boxed::Box;
use alloc::vec::Vec;
use bytes::{Bytes, BytesMut};
use core::fmt;

use super::codes::{Language, RequestCode, ResponseCode};
use super::fields::{FieldSink, FieldSource, Fields};
use super::frame::Frame;
use super::header::{Dialect, EncodeError, Head, Kind, VERSION};
use super::rpc::acl::{
    CreateAcl, CreateUser, DeleteAcl, DeleteUser, GetAcl, GetUser, ListAcls, ListUsers, UpdateAcl, UpdateUser,
};
use super::rpc::admin::{
    DeleteTopic, ForgetTopic, GetAllProducers, GetBrokerState, GetCluster, GetConsumeStats, GetConsumers,
    GetProducers, GetReplicas, GetTopicStats, GetTopics, GetTopicsOfCluster, ResetGroup,
};
use super::rpc::consume::{LockQueues, QueryAssignment, SendBack, SetRequestMode, UnlockQueues};
use super::rpc::groups::{
    CreateGroup, CreateGroups, DeleteGroup, GetGroupConfig, GetGroupConfigs, UpdateForbidden,
};
use super::rpc::heartbeat::{CheckSubscription, GetMembers, Heartbeat, Unregister};
use super::rpc::inspect::{
    AddWritePermission, DeleteKeyValue, GetBrokerConfig, GetBrokerStats, GetGroupsOfTopic, GetKeyValue,
    GetPolling, GetTimeSpans, GetTopicsOfGroup, ListKeyValues, PutKeyValue, SetBrokerConfig,
    WipeWritePermission,
};
use super::rpc::light::{GetLightState, GetParentTopic};
use super::rpc::offsets::{
    EarliestStoreTime, MaxOffset, MinOffset, QueryOffset, SearchOffset, StoredOffsets, UpdateOffset,
};
use super::rpc::pop::{AckMessage, BatchAck, ChangeInvisibleTime, Notification, PeekMessage, PopMessage};
use super::rpc::progress::{
    CloneOffsets, GetBrokerProgress, GetCorrections, GetDelayOffsets, GetQueueIndex, GetSubscription,
    ResumeCheck,
};
use super::rpc::pull::PullMessage;
use super::rpc::query::{QueryMessage, ViewMessage};
use super::rpc::route::GetRoute;
use super::rpc::running::{AskConsume, AskRunningInfo, GetMemberOffsets};
use super::rpc::send::{Recall, SendAnswer, SendLong, SendMessage};
use super::rpc::topics::{
    CreateStaticTopic, CreateTopic, CreateTopics, GetSystemTopics, GetSystemTopicsOfBroker, GetTopicConfig,
    GetTopicConfigs, RegisterTopic,
};
use super::rpc::transaction::EndTransaction;
use super::rpc::{Rpc, RpcError};
use super::text::Text;

const SEND_BATCH: i32 = RequestCode::SEND_BATCH_MESSAGE.0;
const LITE_PULL: i32 = RequestCode::LITE_PULL_MESSAGE.0;

/// A request by its parts, for what has no type of its own. `Debug` shows no values: passwords travel in them, too.
#[derive(Clone, PartialEq, Eq)]
pub struct RawRequest {
    /// The request code.
    pub code: i32,
    /// The parameters.
    pub fields: Fields,
    /// What travels behind the header.
    pub body: Bytes,
}

impl fmt::Debug for RawRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys = self.fields.iter().map(|(key, _)| key).collect::<Vec<_>>();
        f.debug_struct("RawRequest")
            .field("code", &self.code)
            .field("fields", &keys)
            .field("body_bytes", &self.body.len())
            .finish()
    }
}

macro_rules! requests {
    ($($(#[$doc:meta])* $name:ident($type:ty);)*) => {
        /// Anything this client asks; boxed, so that a queue of them stays small.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Request {
            $($(#[$doc])* $name(Box<$type>),)*
            /// A request by its parts.
            Raw(Box<RawRequest>),
        }

        $(impl From<$type> for Request {
            fn from(request: $type) -> Self {
                Self::$name(Box::new(request))
            }
        })*

        impl Request {
            /// The request code.
            #[must_use]
            pub fn code(&self) -> i32 {
                match self {
                    $(Self::$name(request) => request.code(),)*
                    Self::Raw(request) => request.code,
                }
            }

            /// Reads the request that a frame is: what a broker does with it. A code without a type of its own
            /// is a request by its parts.
            pub fn read(frame: &Frame) -> Result<Self, RpcError> {
                match frame.header.code {
                    SEND_BATCH => SendMessage::read(frame).map(Self::from),
                    LITE_PULL => PullMessage::read(frame).map(Self::from),
                    $(<$type as Rpc>::CODE => <$type as Rpc>::read(frame).map(Self::from),)*
                    code => Ok(Self::Raw(Box::new(RawRequest {
                        code,
                        fields: frame.header.fields.clone(),
                        body: frame.body.clone(),
                    }))),
                }
            }

            /// Reads the reply to a request of that code and says only how it went; `None` for a code without a type
            /// of its own.
            pub fn check_reply(code: i32, reply: &Frame) -> Option<Result<(), RpcError>> {
                Some(match code {
                    SEND_BATCH => SendMessage::reply(reply).map(drop),
                    LITE_PULL => PullMessage::reply(reply).map(drop),
                    $(<$type as Rpc>::CODE => <$type as Rpc>::reply(reply).map(drop),)*
                    _ => return None,
                })
            }

            /// What travels behind the header.
            #[must_use]
            pub fn body(&self) -> Bytes {
                match self {
                    $(Self::$name(request) => request.body(),)*
                    Self::Raw(request) => request.body.clone(),
                }
            }
        }

        impl FieldSource for Request {
            fn write_fields(&self, out: &mut impl FieldSink) {
                match self {
                    $(Self::$name(request) => request.fields(out),)*
                    Self::Raw(request) => request.fields.write_fields(out),
                }
            }
        }
    };
}

requests! {
    /// Asks for a topic's route.
    Route(GetRoute);
    /// Stores a message or a batch.
    Send(SendMessage);
    /// The same with the long names of fields.
    SendLong(SendLong);
    /// Stores the answer to a request that a message made.
    SendAnswer(SendAnswer);
    /// Takes back a timed message.
    Recall(Recall);
    /// Ends a transaction.
    EndTransaction(EndTransaction);
    /// Asks for messages of a queue.
    Pull(PullMessage);
    /// Gives a message back to be delivered again.
    SendBack(SendBack);
    /// Asks for a queue's first offset.
    MinOffset(MinOffset);
    /// Asks for the offset after a queue's last message.
    MaxOffset(MaxOffset);
    /// Asks for a queue's offset at a time.
    SearchOffset(SearchOffset);
    /// Asks when a queue's first message was stored.
    EarliestStoreTime(EarliestStoreTime);
    /// Asks for a group's offset of a queue.
    QueryOffset(QueryOffset);
    /// Stores a group's offset of a queue.
    UpdateOffset(UpdateOffset);
    /// Asks for every offset of every group.
    StoredOffsets(StoredOffsets);
    /// Asks for messages with a key.
    QueryMessage(QueryMessage);
    /// Asks for the message at a place.
    ViewMessage(ViewMessage);
    /// Tells a broker who is a member of what.
    Heartbeat(Heartbeat);
    /// Leaves a group.
    Unregister(Unregister);
    /// Asks who is a member of a group.
    Members(GetMembers);
    /// Asks whether a broker can filter by an expression.
    CheckSubscription(CheckSubscription);
    /// Locks queues for a member.
    Lock(LockQueues);
    /// Gives locks back.
    Unlock(UnlockQueues);
    /// Asks which queues a member shall read.
    Assignment(QueryAssignment);
    /// Sets how messages reach a group.
    RequestMode(SetRequestMode);
    /// Asks for messages to be acknowledged.
    Pop(PopMessage);
    /// Acknowledges a message.
    Ack(AckMessage);
    /// Acknowledges many messages.
    BatchAck(BatchAck);
    /// Changes for how long a message stays handed out.
    ChangeInvisibleTime(ChangeInvisibleTime);
    /// Looks at messages without taking them.
    Peek(PeekMessage);
    /// Waits until a queue has messages.
    Notification(Notification);
    /// Makes or changes a topic.
    CreateTopic(CreateTopic);
    /// Deletes a topic on a broker.
    DeleteTopic(DeleteTopic);
    /// Deletes a topic on a name server.
    ForgetTopic(ForgetTopic);
    /// Makes or changes a consumer group.
    CreateGroup(CreateGroup);
    /// Deletes a consumer group.
    DeleteGroup(DeleteGroup);
    /// Asks for all brokers.
    Cluster(GetCluster);
    /// Asks for all topics.
    Topics(GetTopics);
    /// Asks for the topics of a cluster.
    TopicsOfCluster(GetTopicsOfCluster);
    /// Asks for a broker's state.
    BrokerState(GetBrokerState);
    /// Asks for the ends of a topic's queues.
    TopicStats(GetTopicStats);
    /// Asks where a group is.
    ConsumeStats(GetConsumeStats);
    /// Asks for the members of a consumer group.
    Consumers(GetConsumers);
    /// Asks for the members of a producer group.
    Producers(GetProducers);
    /// Sets a group's offsets to a time.
    ResetGroup(ResetGroup);
    /// Asks where members are.
    MemberOffsets(GetMemberOffsets);
    /// Asks how a member is.
    RunningInfo(AskRunningInfo);
    /// Has a member consume a message.
    Consume(AskConsume);
    /// Asks for a topic's settings.
    TopicConfig(GetTopicConfig);
    /// Asks for a group's settings.
    GroupConfig(GetGroupConfig);
    /// Asks who reads a topic.
    GroupsOfTopic(GetGroupsOfTopic);
    /// Asks what a group reads.
    TopicsOfGroup(GetTopicsOfGroup);
    /// Asks how far in time a group has read.
    TimeSpans(GetTimeSpans);
    /// Asks what a broker counted.
    BrokerStats(GetBrokerStats);
    /// Asks for a broker's settings.
    BrokerConfig(GetBrokerConfig);
    /// Changes a broker's settings.
    SetBrokerConfig(SetBrokerConfig);
    /// Asks how many requests wait for messages.
    Polling(GetPolling);
    /// Takes the permission to write a broker.
    WipeWritePermission(WipeWritePermission);
    /// Gives the permission to write a broker.
    AddWritePermission(AddWritePermission);
    /// Puts a value under a key.
    PutKeyValue(PutKeyValue);
    /// Asks for the value under a key.
    GetKeyValue(GetKeyValue);
    /// Deletes a key and its value.
    DeleteKeyValue(DeleteKeyValue);
    /// Asks for the keys of a namespace.
    ListKeyValues(ListKeyValues);
    /// Makes or changes many topics.
    CreateTopics(CreateTopics);
    /// Makes or changes a static topic.
    CreateStaticTopic(CreateStaticTopic);
    /// Tells a name server of a topic.
    RegisterTopic(RegisterTopic);
    /// Asks for the settings of all topics.
    TopicConfigs(GetTopicConfigs);
    /// Asks a name server for its system's topics.
    SystemTopics(GetSystemTopics);
    /// Asks a broker for its system's topics.
    SystemTopicsOfBroker(GetSystemTopicsOfBroker);
    /// Makes or changes many consumer groups.
    CreateGroups(CreateGroups);
    /// Asks for the settings of all groups.
    GroupConfigs(GetGroupConfigs);
    /// Lets a group read a topic or not.
    Forbidden(UpdateForbidden);
    /// Asks for the replicas of a broker.
    Replicas(GetReplicas);
    /// Asks for the members of all producer groups.
    AllProducers(GetAllProducers);
    /// Asks where all groups are.
    BrokerProgress(GetBrokerProgress);
    /// Asks for the least offsets of all groups.
    Corrections(GetCorrections);
    /// Copies a group's offsets to another.
    CloneOffsets(CloneOffsets);
    /// Asks how far delayed messages are delivered.
    DelayOffsets(GetDelayOffsets);
    /// Asks what a group is subscribed to.
    Subscription(GetSubscription);
    /// Asks for entries of a queue's index.
    QueueIndex(GetQueueIndex);
    /// Has a half message checked again.
    ResumeCheck(ResumeCheck);
    /// Makes a user.
    CreateUser(CreateUser);
    /// Changes a user.
    UpdateUser(UpdateUser);
    /// Deletes a user.
    DeleteUser(DeleteUser);
    /// Asks for a user.
    User(GetUser);
    /// Asks for users.
    Users(ListUsers);
    /// Gives a user rules.
    CreateAcl(CreateAcl);
    /// Changes rules of a user.
    UpdateAcl(UpdateAcl);
    /// Deletes rules of a user.
    DeleteAcl(DeleteAcl);
    /// Asks for the rules of a user.
    Acl(GetAcl);
    /// Asks for rules.
    Acls(ListAcls);
    /// Asks for the state of light topics.
    LightState(GetLightState);
    /// Asks about a topic that light topics belong to.
    ParentTopic(GetParentTopic);
}

/// What encoding a head gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    /// The encoding that was used: JSON where the wished-for one cannot express the header.
    pub dialect: Dialect,
    /// The body, which belongs right behind the head.
    pub body: Bytes,
}

/// Fields added to a request on its way out, such as credentials and their signature.
struct With<'a> {
    request: &'a Request,
    extra: &'a [(&'a str, &'a str)],
}

impl FieldSource for With<'_> {
    fn write_fields(&self, out: &mut impl FieldSink) {
        self.request.write_fields(out);
        for (key, value) in self.extra {
            out.text(key, value);
        }
    }
}

impl Request {
    /// Appends everything before the body and gives the body back, for a write of both without a copy.
    pub fn encode_head(
        &self,
        dialect: Dialect,
        opaque: i32,
        oneway: bool,
        out: &mut BytesMut,
    ) -> Result<Encoded, EncodeError> {
        self.encode_head_with(dialect, opaque, oneway, &[], out)
    }

    /// The same with fields added behind the request's own. A signature covers every field, so it has to be made over
    /// the same ones ([`FieldSource`] tells them) and come last.
    pub fn encode_head_with(
        &self,
        dialect: Dialect,
        opaque: i32,
        oneway: bool,
        extra: &[(&str, &str)],
        out: &mut BytesMut,
    ) -> Result<Encoded, EncodeError> {
        let head = Head {
            kind: if oneway { Kind::Oneway } else { Kind::Request },
            code: self.code(),
            language: Language::RUST,
            version: VERSION,
            opaque,
            remark: None,
            // Some processors of brokers fail without a map, be it empty.
            map: true,
        };
        let body = self.body();
        let dialect = head.encode(&With { request: self, extra }, dialect, body.len(), out)?;
        Ok(Encoded { dialect, body })
    }

    /// Appends the whole frame, body included. Returns the encoding that was used.
    pub fn encode(
        &self,
        dialect: Dialect,
        opaque: i32,
        oneway: bool,
        out: &mut BytesMut,
    ) -> Result<Dialect, EncodeError> {
        let encoded = self.encode_head(dialect, opaque, oneway, out)?;
        out.extend_from_slice(&encoded.body);
        Ok(encoded.dialect)
    }
}

/// Our answer to what a broker asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// How it went.
    pub code: ResponseCode,
    /// Words for people.
    pub remark: Option<Text>,
    /// Results.
    pub fields: Fields,
    /// What travels behind the header.
    pub body: Bytes,
}

impl Answer {
    /// An answer of this code and nothing else.
    #[must_use]
    pub fn of(code: ResponseCode) -> Self {
        Self { code, remark: None, fields: Fields::default(), body: Bytes::new() }
    }

    /// Appends the whole frame that answers the request of that opaque.
    pub fn encode(&self, dialect: Dialect, opaque: i32, out: &mut BytesMut) -> Result<Dialect, EncodeError> {
        let head = Head {
            kind: Kind::Response,
            code: self.code.0,
            language: Language::RUST,
            version: VERSION,
            opaque,
            remark: self.remark.as_deref(),
            map: self.fields.is_present(),
        };
        let dialect = head.encode(&self.fields, dialect, self.body.len(), out)?;
        out.extend_from_slice(&self.body);
        Ok(dialect)
    }
}
