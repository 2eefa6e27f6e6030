//! Every bound in one place, each with its reason. Exceeding one is a typed error, never a panic and never a quiet
//! loss; what configuration may change starts from the number here.

/// What the wire layer refuses to read or write.
pub mod wire {
    /// A whole frame with its length field: Java's `frameMaxLength` since 4.0.0; servers close the connection past it.
    pub const FRAME_BYTES: usize = 16 * 1024 * 1024;
    /// A header, in and out. The format allows 16 MiB; 32 KiB of properties can grow sixfold in JSON escapes.
    pub const HEADER_BYTES: usize = 256 * 1024;
    /// Entries of one `extFields` map: the largest header known has below forty.
    pub const FIELDS: usize = 256;
    /// The key of an extField.
    pub const FIELD_KEY_BYTES: usize = 128;
    /// The value of an extField, decoded: pop replies carry long lists of offsets.
    pub const FIELD_VALUE_BYTES: usize = 128 * 1024;
    /// What may be skipped inside a JSON header by nesting: unknown members and object values.
    pub const HEADER_DEPTH: usize = 32;

    /// Properties of one message, encoded: their length is a signed short on disk.
    pub const PROPERTIES_BYTES: usize = 32_767;
    /// Messages in one body: brokers cap at 32, settings may raise it to hundreds. A message takes a few times its 91
    /// bytes when it is read, so what a frame can hold is too much.
    pub const MESSAGES_PER_BODY: usize = 65_536;
    /// Entries of one batch body: 4 MiB of entries of 22 bytes and one byte of body. An entry takes many times that when
    /// it is read, and a batch may come compressed.
    pub const BATCH_ENTRIES: usize = 4 * 1024 * 1024 / 23;

    /// Nesting of a JSON body.
    pub const JSON_DEPTH: usize = 32;
    /// Values in a JSON body that concerns one topic, group or client. A route at its own bounds has some 600,000.
    pub const JSON_NODES: usize = 1024 * 1024;
    /// Values in an administrative JSON body, which lists every topic or group of a cluster.
    pub const JSON_ADMIN_NODES: usize = 4 * 1024 * 1024;
    /// Brokers in a route.
    pub const ROUTE_BROKERS: usize = 1_024;
    /// Queues in a route, over all brokers: `readQueueNums` is a wire int and says nothing about memory.
    pub const ROUTE_QUEUES: i64 = 65_536;
    /// Queues of one broker in a route: Java's short.
    pub const ROUTE_QUEUES_PER_BROKER: i32 = 32_767;
    /// Members in a group, queues in a lock reply, assignments in an answer.
    pub const LIST_ENTRIES: usize = 65_536;
    /// A remark of a peer inside our errors.
    pub const REMARK_BYTES: usize = 1_024;
}

/// What the machines bound; the reasons are the blueprint's and faults.md's, restated beside each number.
pub mod client {
    use core::time::Duration;

    /// Requests taken and unanswered on one connection before it takes no more sends: more only queue up inside the
    /// broker, where they time out.
    pub const IN_FLIGHT_PER_CONNECTION: usize = 4_096;
    /// Sends admitted and unfinished, in all: back-pressure comes before memory runs out.
    pub const ADMITTED_MESSAGES: usize = 65_536;
    /// Bytes of the bodies and properties of the sends admitted and unfinished.
    pub const ADMITTED_BYTES: usize = 64 * 1024 * 1024;
    /// Unanswered requests, forgotten ones included, after which a connection is given up: nobody answers there.
    pub const UNANSWERED_PER_CONNECTION: usize = 32_768;

    /// A send's deadline over all its attempts (Java: `sendMsgTimeout`).
    pub const SEND_DEADLINE: Duration = Duration::from_secs(3);
    /// Attempts of one send that reach the wire (Java: 1 + `retryTimesWhenSendFailed`).
    pub const SEND_ATTEMPTS: u32 = 3;
    /// The least time that a silent broker is given before another one is tried.
    pub const SEND_PATIENCE_MIN: Duration = Duration::from_millis(500);
    /// Pause before another attempt on the same broker, doubling up to [`SEND_PAUSE_MAX`].
    pub const SEND_PAUSE: Duration = Duration::from_millis(100);
    /// The longest such pause.
    pub const SEND_PAUSE_MAX: Duration = Duration::from_secs(1);

    /// Time for a connection to come up, name look-up included.
    pub const DIAL_DEADLINE: Duration = Duration::from_secs(3);
    /// The first back-off between dials; it doubles, with full jitter.
    pub const BACKOFF_MIN: Duration = Duration::from_millis(50);
    /// The longest back-off.
    pub const BACKOFF_MAX: Duration = Duration::from_secs(2);
    /// How long `connect` looks for one name server that answers.
    pub const CONNECT_DEADLINE: Duration = Duration::from_secs(5);
    /// Time for one look-up of a route, over all name servers (Java: `mqClientApiTimeout`).
    pub const ROUTE_DEADLINE: Duration = Duration::from_secs(3);
    /// The least time one name server is given in it.
    pub const ROUTE_SHARE_MIN: Duration = Duration::from_millis(300);
    /// How often a route in use is asked for again (Java: `pollNameServerInterval`).
    pub const ROUTE_REFRESH: Duration = Duration::from_secs(30);
    /// A topic that nobody read or wrote for so long, or for a send's deadline if that is longer, is not asked for
    /// again until somebody does.
    pub const ROUTE_IDLE: Duration = Duration::from_secs(300);
    /// Topics that nobody used for so long and whose last route is kept all the same, so that whoever needs one again
    /// goes on at once, even without a name server. Beyond that the one unused for longest is let go: a client may meet
    /// any number of topics.
    pub const IDLE_TOPICS: usize = 1_024;
    /// For how long nothing came from an address that no route names any more before its connection is closed and it is
    /// let go: name servers may disagree for a while.
    pub const ADDRESS_REST: Duration = Duration::from_secs(60);
    /// Pause after a look-up that failed while somebody waits for it.
    pub const ROUTE_RETRY: Duration = Duration::from_millis(200);
    /// Queues per broker that a topic created by its first message gets (Java: `defaultTopicQueueNums`).
    pub const DEFAULT_QUEUES: i32 = 4;
    /// How often brokers hear of our groups (Java: `heartbeatBrokerInterval`); they forget us after 120 s.
    pub const HEARTBEAT: Duration = Duration::from_secs(30);
    /// The shortest period of what happens again and again, whatever is configured: with none, time would not pass.
    pub const PERIOD_MIN: Duration = Duration::from_millis(10);
    /// Time for a reply to a heartbeat, an offset query, a commit, an unregistration.
    pub const CALL_DEADLINE: Duration = Duration::from_secs(3);

    /// Messages asked for in one pull (Java: `pullBatchSize` of a push consumer); brokers cap at 32.
    pub const PULL_MESSAGES: i32 = 32;
    /// How long a broker may hold a pull that finds nothing (Java: `brokerSuspendMaxTimeMillis`).
    pub const PULL_HOLD: Duration = Duration::from_secs(15);
    /// Time for the reply to a held pull: brokers look at holds every 5 s only (Java: 30 s).
    pub const PULL_DEADLINE: Duration = Duration::from_secs(30);
    /// Time for the reply to a pull that is not held.
    pub const PULL_PLAIN_DEADLINE: Duration = Duration::from_secs(10);
    /// Pause after a pull or a look-up that failed (Java: `pullTimeDelayMillsWhenException`).
    pub const PULL_PAUSE: Duration = Duration::from_secs(1);
    /// Pause after `FLOW_CONTROL` (Java: `PULL_TIME_DELAY_MILLS_WHEN_BROKER_FLOW_CONTROL`).
    pub const PULL_FLOW_PAUSE: Duration = Duration::from_millis(20);
    /// Messages cached for one queue before it is pulled no more (Java: `pullThresholdForQueue`).
    pub const CACHED_PER_QUEUE: usize = 1_000;
    /// Messages cached by one consumer, over all its queues.
    pub const CACHED_MESSAGES: usize = 65_536;
    /// Bytes cached by one consumer, counted by the frames they pin.
    pub const CACHED_BYTES: usize = 256 * 1024 * 1024;
    /// How often positions are committed (Java: `persistConsumerOffsetInterval`).
    pub const COMMIT_INTERVAL: Duration = Duration::from_secs(5);

    /// How long `close` waits for what is in flight.
    pub const CLOSE_DEADLINE: Duration = Duration::from_secs(10);
}
