//! What administrators ask of real brokers is taken, and the answers are read by the types of their requests; what a
//! line of brokers does not know is a refusal that says so.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use fusee::{BrokerName, Client, Group, Message, Queue, Topic};
use fusee_core::ids::ClientId;
use fusee_core::wire::rpc::acl::{
    Acl, Action, CreateAcl, CreateUser, Decision, DeleteAcl, DeleteUser, GetAcl, GetUser, ListAcls,
    ListUsers, Password, Policy, PolicyType, Rule, UpdateAcl, UpdateUser, User, UserStatus, UserType,
};
use fusee_core::wire::rpc::admin::{DeleteTopic, ForgetTopic, GetAllProducers, GetReplicas};
use fusee_core::wire::rpc::groups::{
    CreateGroup, CreateGroups, DeleteGroup, ExponentialRetry, GetGroupConfig, GetGroupConfigs, GroupConfig,
    RetryPolicy, UpdateForbidden,
};
use fusee_core::wire::rpc::heartbeat::{ConsumeFrom, ConsumeType, MessageModel};
use fusee_core::wire::rpc::inspect::GetBrokerConfig;
use fusee_core::wire::rpc::light::{GetLightState, GetParentTopic};
use fusee_core::wire::rpc::mapping::{MappingItem, TopicMapping};
use fusee_core::wire::rpc::progress::{
    CloneOffsets, GetBrokerProgress, GetCorrections, GetDelayOffsets, GetQueueIndex, GetSubscription,
    ResumeCheck,
};
use fusee_core::wire::rpc::pushed;
use fusee_core::wire::rpc::running::{
    AskConsume, AskRunningInfo, ConsumeResult, ConsumedDirectly, GetMemberOffsets, QueueInfo, RunningInfo,
    TopicInfo,
};
use fusee_core::wire::rpc::topics::{
    CreateStaticTopic, CreateTopic, CreateTopics, GetSystemTopics, GetSystemTopicsOfBroker, GetTopicConfig,
    GetTopicConfigs, RegisterTopic, TagsPerMessage, TopicConfig,
};
use fusee_core::wire::{
    ConsumerEntry, FieldSink, Fields, Frame, GetRoute, Header, Heartbeat, Kind, Language, MessageId,
    RouteQueue, Rpc, RpcError, StoredOffsets, SubscriptionEntry, Text,
};

use crate::broker::Version;
use crate::broker::accounts::admin;
use crate::scenario::{Driver, Env, Failed, Needs, Verdict, holds, same};

pub(super) const NEEDS: Needs = Needs::Shared(|cluster| cluster.acl());
pub(super) const DRIVERS: &[Driver] = &[Driver::Tokio];

/// The broker's code for a request it has no processor for.
const NOT_SUPPORTED: i32 = 3;

pub(super) async fn run(env: &Env) -> Verdict {
    let keys = admin();
    let builder = env.builder().name_servers(env.cluster().name_servers());
    let client = env.driver.connect(builder.acl(&keys.access_key, &keys.secret_key)).await?;
    let asking = Asking {
        env,
        client: &client,
        broker: env.cluster().broker_addr(0),
        name_server: env.cluster().name_servers()[0].clone(),
        new: env.version() != Version::V4_9_4,
    };
    let topic = topics(&asking).await?;
    let group = groups(&asking, &topic).await?;
    progress(&asking, &topic, &group).await?;
    members(&asking, &topic, &group).await?;
    servers(&asking, &topic).await?;
    users(&asking).await?;
    let stored = asking.broker(&StoredOffsets).await?;
    holds(stored.get(&topic, &group, 0).is_some(), || format!("nothing stored of {group}"))?;
    asking.broker(&DeleteGroup { group: group.clone(), clean_offsets: true }).await?;
    let stored = asking.broker(&StoredOffsets).await?;
    holds(stored.get(&topic, &group, 0).is_none(), || format!("an offset of {group}, which is no more"))?;
    asking.broker(&DeleteTopic { topic }).await?;
    client.close().await?;
    Ok(String::new())
}

struct Asking<'a> {
    env: &'a Env,
    client: &'a Client,
    broker: String,
    name_server: String,
    /// Whether the brokers are of 5.x.
    new: bool,
}

impl Asking<'_> {
    async fn ask<R: Rpc>(&self, to: &str, request: &R) -> Result<Result<R::Reply, RpcError>, Failed> {
        let mut fields = Collected::default();
        request.fields(&mut fields);
        let mut asked = self.client.request(to, request.code()).timeout(Duration::from_secs(20));
        for (key, value) in fields.0 {
            asked = asked.field(key, value);
        }
        let reply = asked.body(request.body()).send().await?;
        let header = Header {
            kind: Kind::Response,
            code: reply.code(),
            language: Language::JAVA,
            version: reply.version(),
            opaque: 0,
            remark: reply.remark().map(|remark| Text::from(remark.to_owned())),
            fields: Fields::from_pairs(reply.fields()),
        };
        Ok(R::reply(&Frame { header, body: reply.body().clone() }))
    }

    async fn broker<R: Rpc>(&self, request: &R) -> Result<R::Reply, Failed> {
        Ok(self.ask(&self.broker, request).await?.map_err(|error| format!("{}: {error}", request.code()))?)
    }

    async fn name_server<R: Rpc>(&self, request: &R) -> Result<R::Reply, Failed> {
        let reply = self.ask(&self.name_server, request).await?;
        Ok(reply.map_err(|error| format!("{}: {error}", request.code()))?)
    }

    /// The code by which the broker refuses.
    async fn refused<R: Rpc>(&self, request: &R) -> Result<i32, Failed> {
        match self.ask(&self.broker, request).await? {
            Err(RpcError::Refused { code, .. }) => Ok(code.0),
            Err(error) => Err(format!("{}: {error}", request.code()).into()),
            Ok(_) => Err(format!("{} was taken", request.code()).into()),
        }
    }

    /// Of brokers of 5.x the answer, of older ones the refusal that they do not know the request.
    async fn since_5<R: Rpc>(&self, request: &R) -> Result<Option<R::Reply>, Failed> {
        if self.new {
            return self.broker(request).await.map(Some);
        }
        same(&self.refused(request).await?, &NOT_SUPPORTED, "the refusal of an older broker")?;
        Ok(None)
    }

    fn topic(&self) -> Result<Topic, Failed> {
        Ok(Topic::new(&self.env.name("topic"))?)
    }

    fn group(&self) -> Result<Group, Failed> {
        Ok(Group::new(&self.env.name("group"))?)
    }
}

#[derive(Default)]
struct Collected(Vec<(String, String)>);

impl FieldSink for Collected {
    fn text(&mut self, key: &str, value: &str) {
        self.0.push((key.to_owned(), value.to_owned()));
    }
}

fn text(name: &impl ToString) -> Text {
    Text::from(name.to_string())
}

fn creation(topic: &Topic, attributes: Option<Text>) -> CreateTopic {
    CreateTopic {
        topic: topic.clone(),
        default_topic: Text::from("TBW102"),
        read_queues: 2,
        write_queues: 2,
        perm: 6,
        tags: TagsPerMessage::One,
        sys_flag: Some(0),
        order: false,
        attributes,
        force: false,
    }
}

async fn topics(asking: &Asking<'_>) -> Result<Topic, Failed> {
    let topic = asking.topic()?;
    asking.broker(&creation(&topic, Some(Text::from("+message.type=NORMAL")))).await?;
    let mut expected = TopicConfig {
        attributes: BTreeMap::new(),
        order: false,
        perm: 6,
        read_queues: 2,
        tags: TagsPerMessage::One,
        topic: text(&topic),
        sys_flag: 0,
        write_queues: 2,
    };
    if asking.new {
        expected.attributes.insert("message.type".to_owned(), Some(Text::from("NORMAL")));
    }
    let all = asking.broker(&GetTopicConfigs { skip: None, most: None, version: None }).await?;
    let listed = all.topics.iter().find(|config| *config.topic == *topic.as_str());
    same(&listed, &Some(&expected), "the topic among all")?;
    if let Some(read) = asking.since_5(&GetTopicConfig { topic: topic.clone() }).await? {
        same(&read, &expected, "the topic alone")?;
    }

    let more = [asking.topic()?, asking.topic()?];
    let fifo = BTreeMap::from([("+message.type".to_owned(), Some(Text::from("FIFO")))]);
    let config =
        |topic: &Topic| TopicConfig { topic: text(topic), attributes: fifo.clone(), ..expected.clone() };
    asking.since_5(&CreateTopics { topics: more.iter().map(config).collect() }).await?;
    if asking.new {
        let read = asking.broker(&GetTopicConfig { topic: more[1].clone() }).await?;
        same(&read.attributes.get("message.type"), &Some(&Some(Text::from("FIFO"))), "an attribute")?;
        topic_pages(asking).await?;
        static_topic(asking).await?;
        for topic in more {
            asking.broker(&DeleteTopic { topic }).await?;
        }
    }
    let own = asking.broker(&GetSystemTopicsOfBroker {}).await?;
    holds(own.iter().any(|name| *name == *"TBW102"), || format!("the broker's own topics: {own:?}"))?;
    let known = asking.name_server(&GetSystemTopics {}).await?;
    holds(known.topics.iter().any(|name| *name == *"broker-a") && known.broker.is_some(), || {
        format!("the name server's own topics: {known:?}")
    })?;
    Ok(topic)
}

/// Two pages, unless somebody else changed a topic in between.
async fn topic_pages(asking: &Asking<'_>) -> Result<(), Failed> {
    let pages = asking.env.until(Duration::from_secs(30), "two pages of one table", async || {
        let first = asking.broker(&GetTopicConfigs { skip: Some(0), most: Some(3), version: None });
        let first = first.await?;
        let version = Some(first.version.text());
        let second = asking.broker(&GetTopicConfigs { skip: Some(3), most: Some(3), version }).await?;
        Ok((first.version == second.version).then_some((first, second)))
    });
    let (first, second) = pages.await?;
    same(&(first.topics.len(), second.topics.len()), &(3, 3), "topics of a page")?;
    holds(first.total.is_some_and(|total| total > 6), || format!("{:?} topics in all", first.total))?;
    let again = second.topics.iter().any(|one| first.topics.iter().any(|other| one.topic == other.topic));
    holds(!again, || format!("the same topic on two pages: {first:?} {second:?}"))
}

async fn static_topic(asking: &Asking<'_>) -> Result<(), Failed> {
    let topic = asking.topic()?;
    let stretch = MappingItem {
        broker: Text::from("broker-a"),
        end_offset: -1,
        generation: 0,
        logic_offset: 0,
        queue: 0,
        start_offset: 0,
        end_time: -1,
        start_time: -1,
    };
    let mapping = TopicMapping {
        broker: Text::from("broker-a"),
        epoch: 1_700_000_000_000,
        hosted: BTreeMap::from([(0, vec![stretch])]),
        scope: Text::from("__global__"),
        topic: text(&topic),
        total: 1,
    };
    let request = CreateStaticTopic { topic: creation(&topic, None), mapping: mapping.clone() };
    asking.broker(&request).await?;
    let all = asking.broker(&GetTopicConfigs { skip: None, most: None, version: None }).await?;
    let read = all.mappings.iter().find(|read| read.topic == mapping.topic);
    same(&read, &Some(&mapping), "the mapping of a static topic")?;
    asking.broker(&DeleteTopic { topic }).await
}

async fn groups(asking: &Asking<'_>, topic: &Topic) -> Result<Group, Failed> {
    let group = asking.group()?;
    let exponential = ExponentialRetry { first_ms: 1_000, longest_ms: 9_000, factor: 3 };
    let policy =
        RetryPolicy { customized: None, exponential: Some(exponential), kind: Text::from("EXPONENTIAL") };
    let config =
        GroupConfig { retries: 5, retry_policy: asking.new.then_some(policy), ..GroupConfig::of(&group) };
    asking.broker(&CreateGroup { config: config.clone() }).await?;
    let all = asking.broker(&GetGroupConfigs { skip: None, most: None, version: None }).await?;
    let listed = all.groups.iter().find(|config| *config.group == *group.as_str());
    same(&listed, &Some(&config), "the group among all")?;
    if let Some(read) = asking.since_5(&GetGroupConfig { group: group.clone() }).await? {
        same(&read, &config, "the group alone")?;
        // Nothing is lost between reading and writing.
        asking.broker(&CreateGroup { config: read }).await?;
        same(&asking.broker(&GetGroupConfig { group: group.clone() }).await?, &config, "the group again")?;
    }
    let more = [asking.group()?, asking.group()?];
    asking.since_5(&CreateGroups { groups: more.iter().map(GroupConfig::of).collect() }).await?;
    if asking.new {
        for group in more {
            asking.broker(&GetGroupConfig { group: group.clone() }).await?;
            asking.broker(&DeleteGroup { group, clean_offsets: true }).await?;
        }
        let page = asking.broker(&GetGroupConfigs { skip: Some(0), most: Some(2), version: None }).await?;
        same(&page.groups.len(), &2, "groups of a page")?;
        holds(page.total.is_some_and(|total| total > 2), || format!("{:?} groups in all", page.total))?;
    }
    let may = |readable| UpdateForbidden { group: group.clone(), topic: topic.clone(), readable };
    if let Some(readable) = asking.since_5(&may(None)).await? {
        same(&readable, &true, "whether it may read")?;
        same(&asking.broker(&may(Some(false))).await?, &false, "whether it may read")?;
        let all = asking.broker(&GetGroupConfigs { skip: None, most: None, version: None }).await?;
        let forbidden = all.forbidden.get(group.as_str()).and_then(|topics| topics.get(topic.as_str()));
        same(&forbidden, &Some(&4), "what it may not")?;
        same(&asking.broker(&may(Some(true))).await?, &true, "whether it may read")?;
    }
    Ok(group)
}

async fn progress(asking: &Asking<'_>, topic: &Topic, group: &Group) -> Result<(), Failed> {
    let producer = asking.client.producer(asking.env.name("group")).start().await?;
    let queue = Queue { topic: topic.clone(), broker: BrokerName::new("broker-a")?, queue: 0 };
    for n in 0..5 {
        producer.send_to(&queue, Message::new(topic.as_str(), n.to_string()).tag("TagA")).await?;
    }
    asking.env.stored_exactly(topic.as_str(), 5).await?;
    let index = GetQueueIndex { topic: topic.clone(), queue: 0, offset: 1, count: 10, group: None };
    let index = asking.broker(&index).await?;
    same(&(index.min, index.max, index.entries.len()), &(0, 5, 4), "the queue's index")?;
    let of_tag = index.entries.iter().all(|entry| entry.tag_hash == 2_598_919 && entry.bytes > 0);
    holds(of_tag, || format!("{:?}", index.entries))?;

    asking.env.cluster().caller().commit(&asking.broker, group.as_str(), topic.as_str(), 0, 3)?;
    let stored = asking.broker(&StoredOffsets).await?;
    same(&stored.get(topic, group, 0), &Some(3), "the offset of the group")?;
    let listed = stored.iter().any(|entry| entry == (topic.as_str(), group.as_str(), 0, 3));
    holds(listed, || "the offset is not listed".to_owned())?;
    let all = asking.broker(&GetBrokerProgress { ordered: false }).await?;
    let own = all.groups.iter().filter(|(name, _)| **name == *group.as_str()).flat_map(|(_, topics)| topics);
    let own = own.flat_map(|topic| &topic.queues).find(|(place, _)| *place == queue);
    let own = own.map(|(_, stats)| (stats.consumer_offset, stats.broker_offset));
    same(&own, &Some((3, 5)), "where the group is")?;
    holds(all.behind >= 2, || format!("{} behind in all", all.behind))?;

    let other = asking.group()?;
    let copy = |topic| CloneOffsets { from: group.clone(), to: other.clone(), topic, offline: true };
    asking.broker(&copy(None)).await?;
    let stored = asking.broker(&StoredOffsets).await?;
    same(&stored.get(topic, &other, 0), &None, "an offset that was copied without a topic")?;
    asking.broker(&copy(Some(topic.clone()))).await?;
    let stored = asking.broker(&StoredOffsets).await?;
    same(&stored.get(topic, &other, 0), &Some(3), "the offset that was copied")?;
    let least = GetCorrections { without: Some(text(&other)), group: group.clone(), topic: topic.clone() };
    same(&asking.broker(&least).await?, &BTreeMap::from([(0, 3)]), "the least offset")?;
    asking.broker(&GetDelayOffsets {}).await?;
    let beyond = Text::from("7F00000100002A9F0000FFFFFFFFFFFF");
    let resume = ResumeCheck { topic: Some(topic.clone()), message_id: Some(beyond) };
    same(&asking.refused(&resume).await?, &1, "the refusal of a message that is none")
}

/// Another client that is a member of the group, and how it answers what the broker passes on.
async fn members(asking: &Asking<'_>, topic: &Topic, group: &Group) -> Result<(), Failed> {
    let member = ClientId::new(&asking.env.name("member"))?;
    let subscription = SubscriptionEntry {
        class_filter_mode: false,
        codes: vec![2_598_919],
        expression_type: Text::from("TAG"),
        expression: Text::from("TagA"),
        version: 1_700_000_000_000,
        tags: vec![Text::from("TagA")],
        topic: topic.clone(),
    };
    let queue = Queue { topic: topic.clone(), broker: BrokerName::new("broker-a")?, queue: 0 };
    let info = RunningInfo {
        properties: BTreeMap::from([("PROP_CONSUME_TYPE".to_owned(), "CONSUME_PASSIVELY".to_owned())]),
        subscriptions: vec![subscription.clone()],
        queues: vec![(queue.clone(), QueueInfo { commit_offset: 3, locked: true, ..QueueInfo::default() })],
        topics: BTreeMap::from([(
            topic.to_string(),
            TopicInfo { consumed_rate: 1.5, ..TopicInfo::default() },
        )]),
        stacks: Some("a thread\n\tat a place".to_owned()),
        ..RunningInfo::default()
    };
    let consumed = ConsumedDirectly {
        auto_commit: true,
        result: Some(ConsumeResult::Rollback),
        order: true,
        remark: Some(Text::from("\"again\"")),
        spent_ms: 12,
    };
    let offsets = vec![(queue, 3)];
    let subscribed = GetSubscription { group: group.clone(), topic: Some(topic.clone()) };
    if let Some(nobody) = asking.since_5(&subscribed).await? {
        same(&nobody, &None, "a subscription of nobody")?;
    }
    let entry = ConsumerEntry {
        consume_from_where: ConsumeFrom::Last,
        consume_type: ConsumeType::Push,
        group: group.clone(),
        message_model: MessageModel::Clustering,
        subscriptions: vec![subscription.clone()],
        unit_mode: false,
    };
    let producers = asking.group()?;
    let heartbeat = Heartbeat {
        client: member.clone(),
        producers: vec![producers.clone()],
        consumers: vec![entry],
        fingerprint: 0,
        without_subscriptions: false,
    };
    let caller = asking.env.cluster().caller();
    let mut connection = caller.open(&asking.broker, Duration::from_secs(120))?;
    connection.call(Heartbeat::CODE, &[], &heartbeat.body())?.success("heartbeat")?;
    let known = asking.broker(&GetAllProducers {}).await?.remove(producers.as_str()).ok_or("no producers")?;
    let ids = known.iter().map(|known| known.client_id.to_string()).collect::<Vec<_>>();
    same(&ids, &vec![member.to_string()], "the members of a producer group")?;
    let answers = BTreeMap::from([
        (AskRunningInfo::CODE, info.body().to_vec()),
        (AskConsume::CODE, consumed.body().to_vec()),
        (221, pushed::consumer_status(&offsets).to_vec()),
    ]);
    let answering = thread::spawn(move || connection.answer(answers));

    let ask = AskRunningInfo { group: group.clone(), client: member.clone(), stacks: true };
    same(&asking.broker(&ask).await?, &info, "how a member is")?;
    let producer = asking.client.producer(asking.env.name("group")).start().await?;
    let receipt = producer.send(Message::new(topic.as_str(), "now")).await?;
    let message_id = match receipt.offset_id {
        MessageId::Place(place) => text(&place),
        MessageId::Text(id) => id,
    };
    let ask = AskConsume {
        group: group.clone(),
        client: Some(member.clone()),
        message_id,
        broker: None,
        topic: Some(topic.clone()),
    };
    same(&asking.broker(&ask).await?, &consumed, "how a message was consumed")?;
    if let Some(read) = asking.since_5(&subscribed).await? {
        same(&read, &Some(subscription), "what the group is subscribed to")?;
    }
    // With this answer the member leaves.
    let ask = GetMemberOffsets { topic: topic.clone(), group: group.clone(), client: None };
    let told = asking.broker(&ask).await?;
    same(&told, &BTreeMap::from([(member.to_string(), offsets)]), "where members are")?;
    answering.join().map_err(|_| "the member failed")??;
    Ok(())
}

async fn servers(asking: &Asking<'_>, topic: &Topic) -> Result<(), Failed> {
    let config = asking.broker(&GetBrokerConfig {}).await?;
    holds(config.settings.lines().any(|line| line == "brokerName=broker-a"), || config.settings.to_string())?;
    holds(config.version.starts_with('{'), || config.version.to_string())?;
    if let Some(state) = asking.since_5(&GetLightState {}).await? {
        holds(state.queues_max > 0, || format!("{state:?}"))?;
    }
    let refusal = if asking.new { 29 } else { NOT_SUPPORTED };
    same(&asking.refused(&GetParentTopic { topic: topic.clone() }).await?, &refusal, "a refusal")?;
    if !asking.new {
        // Its name servers say nothing to what they do not know.
        return Ok(());
    }
    let cluster = Text::from("DefaultCluster");
    let replicas = GetReplicas { cluster: cluster.clone(), broker: BrokerName::new("broker-a")? };
    let replicas = asking.name_server(&replicas).await?.ok_or("no replicas")?;
    same(&replicas.addresses.get(&0).map(|master| master.as_str()), &Some(&*asking.broker), "the master")?;
    let nobody = GetReplicas { cluster, broker: BrokerName::new("nobody")? };
    let nobody = asking.name_server(&nobody).await?;
    holds(nobody.is_none_or(|nobody| nobody.addresses.is_empty()), || "a broker that is none".to_owned())?;
    let topic = asking.topic()?;
    let queue = RouteQueue { broker: BrokerName::new("broker-a")?, read: 3, write: 3, perm: 6, sys_flag: 0 };
    asking.name_server(&RegisterTopic { topic: topic.clone(), queues: vec![queue.clone()] }).await?;
    let route = asking.name_server(&GetRoute { topic: topic.clone() }).await?;
    same(&route.queues, &vec![queue], "what was registered")?;
    asking.name_server(&ForgetTopic { topic, cluster: None }).await
}

async fn users(asking: &Asking<'_>) -> Result<(), Failed> {
    let name = Text::from(asking.env.name("user"));
    let user = User {
        password: Some(Password::new(Text::from("a password"))),
        status: Some(UserStatus::Enabled),
        kind: Some(UserType::Normal),
        name: name.clone(),
    };
    let listing = ListUsers { filter: Some(name.clone()) };
    if asking.since_5(&listing).await?.is_none() {
        for code in [
            asking.refused(&CreateUser { user: user.clone() }).await?,
            asking.refused(&GetUser { name: name.clone() }).await?,
            asking.refused(&ListAcls { subject: None, resource: None }).await?,
        ] {
            same(&code, &NOT_SUPPORTED, "the refusal of an older broker")?;
        }
        return Ok(());
    }
    let asked = GetUser { name: name.clone() };
    same(&asking.broker(&asked).await?, &None, "a user that is none")?;
    asking.broker(&CreateUser { user: user.clone() }).await?;
    same(&asking.refused(&CreateUser { user: user.clone() }).await?, &16, "the refusal of a user twice")?;
    same(&asking.broker(&asked).await?, &Some(user.clone()), "a user")?;
    same(&asking.broker(&listing).await?, &vec![user.clone()], "users")?;
    let change = User { password: None, status: Some(UserStatus::Disabled), kind: None, name: name.clone() };
    asking.broker(&UpdateUser { user: change }).await?;
    let disabled = User { status: Some(UserStatus::Disabled), ..user };
    same(&asking.broker(&asked).await?, &Some(disabled), "a user that changed")?;

    let subject = Text::from(format!("User:{name}"));
    let rule = |resource: &'static str, actions: Vec<Action>, sources: Vec<Text>| Rule {
        actions,
        decision: Some(Decision::Allow),
        resource: Text::from(resource),
        sources,
    };
    let network = vec![Text::from("192.168.0.0/24")];
    let custom = Policy {
        rules: vec![
            rule("Topic:a*", vec![Action::Publish, Action::Subscribe], network),
            rule("Group:*", vec![Action::All], Vec::new()),
        ],
        kind: Some(PolicyType::Custom),
    };
    let acl = Acl { policies: vec![custom.clone()], subject: subject.clone() };
    let asked = GetAcl { subject: subject.clone() };
    same(&asking.broker(&asked).await?, &None, "no rules")?;
    asking.broker(&CreateAcl { acl: acl.clone() }).await?;
    same(&asking.broker(&asked).await?, &Some(acl.clone()), "rules")?;
    let listing = ListAcls { subject: Some(name.clone()), resource: None };
    same(&asking.broker(&listing).await?, &vec![acl], "rules of users")?;
    let default =
        Policy { rules: vec![rule("*", vec![Action::Get], Vec::new())], kind: Some(PolicyType::Default) };
    let more = Acl { policies: vec![default.clone()], subject: subject.clone() };
    asking.broker(&UpdateAcl { acl: more }).await?;
    let both = Acl { policies: vec![custom.clone(), default], subject: subject.clone() };
    same(&asking.broker(&asked).await?, &Some(both), "rules added to")?;
    let of_topics = DeleteAcl {
        subject: subject.clone(),
        policy: Some(PolicyType::Custom),
        resource: Some(Text::from("Topic:a*")),
    };
    asking.broker(&of_topics).await?;
    let left = asking.broker(&asked).await?.ok_or("no rules left")?;
    same(&left.policies[0].rules, &custom.rules[1..].to_vec(), "rules left")?;
    asking.broker(&DeleteAcl { subject, policy: None, resource: None }).await?;
    same(&asking.broker(&asked).await?, &None, "rules after all were deleted")?;
    asking.broker(&DeleteUser { name }).await?;
    same(&asking.refused(&asked).await?, &16, "the refusal of rules of nobody")
}
