//! Where to begin in a queue, and asking for its messages.
//!
//! Laws:
//! - One request per queue and generation at a time; a reply of another generation changes nothing.
//! - A look-up that failed never becomes an offset: it is made again.
//! - Where the group has no offset for a queue but has one for another of the topic, the queue is read from its
//!   oldest message, so that nothing written before its first assignment is skipped.
//! - No step repeats at once without having got further.
//!
//! Sources: Java `RebalancePushImpl#computePullFromWhere`, `DefaultLitePullConsumerImpl`; Java asks for the end where
//! this asks for the beginning, which skips messages.

use crate::config::{Position, StartFrom};
use crate::cx::Cx;
use crate::error::{CallError, LostWhy};
use crate::event::Output;
use crate::ids::{PeerId, QueueId, TopicId};
use crate::limits::client as limits;
use crate::link::Purpose;
use crate::note::Note;
use crate::time::UnixMillis;
use crate::timers::Alarm;
use crate::wire::rpc::pull::flags;
use crate::wire::{
    Frame, FrameError, MaxOffset, MinOffset, PullMessage, PullReply, PullStatus, QueryOffset, Request,
    ResponseCode, Rpc, SearchOffset, StoredOffsets, Text,
};

/// MQVersion V5_0_0.
const FIRST_OF_LINE_5: i32 = 413;

use super::{Chunk, Consumer, Goal, Pulled, Step, Waits};

impl Consumer {
    /// Does the next thing for a queue that has nothing under way.
    pub(super) fn advance(&mut self, cx: &mut Cx, id: QueueId) {
        let Some(assigned) = self.queues.get_mut(&id) else { return };
        cx.timers.disarm(&mut assigned.timer);
        let Some(peer) = cx.directory.readable_at(id.broker) else {
            // Its broker is in no route yet: the route's arrival or the pause ends this.
            return self.pause(cx, id, limits::PULL_PAUSE);
        };
        let peer = cx.lane(peer, id.queue);
        if let Some(next) = assigned.next {
            return self.pull(cx, id, peer, next);
        }
        if let Goal::To(Position::Offset(offset)) = assigned.goal {
            return self.begin(cx, id, offset);
        }
        let (topic, broker) =
            (cx.directory.topic_name(id.topic).clone(), cx.directory.broker_name(id.broker).clone());
        let queue = id.queue;
        let request: Request = match assigned.goal {
            Goal::Undecided => return assigned.step = Step::Waits(Waits::Others),
            Goal::Stored => {
                let group = self.config.group.clone();
                QueryOffset { group, topic, broker, queue, zero_if_missing: Some(false) }.into()
            }
            Goal::Doubted => StoredOffsets.into(),
            Goal::To(Position::Begin | Position::Offset(_)) => MinOffset { topic, broker, queue }.into(),
            Goal::To(Position::End) => MaxOffset { topic, broker, queue }.into(),
            Goal::To(Position::Time(time)) => {
                SearchOffset { topic, broker, queue, time, upper: false }.into()
            }
        };
        let purpose = Purpose::Locate(self.id, id, assigned.generation);
        let call = cx.call(peer, purpose, request, Some(cx.now + limits::CALL_DEADLINE), false);
        if let Some(assigned) = self.queues.get_mut(&id) {
            assigned.step = Step::Locating(call);
        }
    }

    fn pause(&mut self, cx: &mut Cx, id: QueueId, pause: core::time::Duration) {
        let Some(assigned) = self.queues.get_mut(&id) else { return };
        assigned.step = Step::Pausing;
        cx.timers.rearm(&mut assigned.timer, cx.now + pause, Alarm::Pull(self.id, id));
    }

    /// A pause is over.
    pub(crate) fn pull_alarm(&mut self, cx: &mut Cx, id: QueueId) {
        if let Some(assigned) = self.queues.get_mut(&id)
            && assigned.step == Step::Pausing
        {
            assigned.timer = None;
            self.advance(cx, id);
        }
    }

    /// Reading begins here.
    fn begin(&mut self, cx: &mut Cx, id: QueueId, offset: i64) {
        let Some(assigned) = self.queues.get_mut(&id) else { return };
        assigned.next = Some(offset);
        assigned.read = Some(offset);
        assigned.trouble = None;
        self.advance(cx, id);
    }

    /// A broker said where to begin, or could not.
    pub(crate) fn handle_located(
        &mut self,
        cx: &mut Cx,
        id: QueueId,
        generation: u32,
        from: PeerId,
        result: Result<&Frame, CallError>,
    ) {
        let Some(assigned) = self.queues.get_mut(&id).filter(|assigned| assigned.generation == generation)
        else {
            return;
        };
        let goal = assigned.goal;
        let offset = result.and_then(|frame| {
            let offset = match goal {
                Goal::Stored => QueryOffset::reply(frame),
                Goal::Doubted => StoredOffsets::reply(frame)
                    .map(|table| table.get(cx.directory.topic_name(id.topic), &self.config.group, id.queue)),
                Goal::Undecided | Goal::To(_) => MinOffset::reply(frame).map(Some),
            };
            let offset = offset.map_err(|error| CallError::from_rpc(cx.peers.address(from), error))?;
            Ok((offset, frame.header.version))
        });
        // Java: `ConsumerOffsetManager`; brokers before 5.0 answer 0 for groups, topics and queues they never heard of.
        let (offset, doubt) = match offset {
            Ok((offset, version)) => {
                let zero = goal == Goal::Stored && offset == Some(0) && version < FIRST_OF_LINE_5;
                (Ok(offset), zero && self.config.from != StartFrom::First)
            }
            // The 0 is believed then: reading again is better than skipping.
            Err(error) if goal == Goal::Doubted && tells_nothing(&error) => {
                cx.out.push_back(Output::Note(Note::Doubted(cx.directory.named(id), error)));
                self.mute.insert(id.broker);
                (Ok(Some(0)), false)
            }
            Err(error) => (Err(error), false),
        };
        if doubt && !self.mute.contains(&id.broker) {
            assigned.goal = Goal::Doubted;
            return self.advance(cx, id);
        }
        let of_group = goal.is_open();
        match offset {
            Err(error) => {
                self.troubled(cx, id, error);
                self.pause(cx, id, limits::PULL_PAUSE);
            }
            Ok(Some(offset)) => {
                if let Goal::To(Position::Time(time)) = assigned.goal {
                    assigned.not_before = Some(time);
                }
                if !of_group
                    && let Goal::To(Position::Begin | Position::End | Position::Time(_)) = assigned.goal
                {
                    assigned.goal = Goal::To(Position::Offset(offset.max(0)));
                } else {
                    // Known to the group already: nothing to commit before it moves.
                    assigned.goal = Goal::To(Position::Offset(offset));
                    self.commits.known(id, offset);
                }
                let adopt = core::mem::take(&mut assigned.adopt);
                self.begin(cx, id, offset.max(0));
                if adopt {
                    self.settle(id, offset.max(0));
                    self.want_commit(cx, id, offset.max(0));
                }
            }
            Ok(None) => {
                assigned.goal = Goal::Undecided;
                assigned.step = Step::Waits(Waits::Others);
            }
        }
        self.decide(cx, id.topic);
    }

    /// Settles where the queues of a topic begin for which the group has no offset, as soon as that is known.
    pub(super) fn decide(&mut self, cx: &mut Cx, topic: TopicId) {
        let of_topic = || self.queues.iter().filter(|(id, _)| id.topic == topic);
        let undecided: alloc::vec::Vec<QueueId> =
            of_topic().filter(|(_, a)| a.goal == Goal::Undecided).map(|(id, _)| *id).collect();
        if undecided.is_empty() {
            return;
        }
        let any_known = of_topic().any(|(id, _)| self.commits.is_known(*id));
        let all_answered = of_topic().all(|(_, a)| !a.goal.is_open());
        let goal = match self.config.from {
            StartFrom::First => Position::Begin,
            _ if any_known => Position::Begin,
            _ if !all_answered => return,
            StartFrom::Last => Position::End,
            StartFrom::Time(time) => Position::Time(time),
        };
        for id in undecided {
            if let Some(assigned) = self.queues.get_mut(&id) {
                assigned.goal = Goal::To(goal);
                assigned.adopt = true;
                self.advance(cx, id);
            }
        }
    }

    fn pull(&mut self, cx: &mut Cx, id: QueueId, peer: PeerId, offset: i64) {
        // One reply is cached whatever the bounds are.
        let full = self.cached_messages >= self.config.cached_messages.max(1)
            || self.cached_bytes >= self.config.cached_bytes.max(1);
        let Some(assigned) = self.queues.get_mut(&id) else { return };
        if assigned.paused {
            return assigned.step = Step::Waits(Waits::Paused);
        }
        if full || assigned.cached >= self.config.cached_per_queue.max(1) {
            return assigned.step = Step::Waits(Waits::Full);
        }
        // The first pull is not held, so that the queue's end is known at once.
        let hold = assigned.end.is_some();
        let (wait, deadline) = if hold {
            (limits::PULL_HOLD, limits::PULL_DEADLINE)
        } else {
            (core::time::Duration::ZERO, limits::PULL_PLAIN_DEADLINE)
        };
        let request = PullMessage {
            group: self.config.group.clone(),
            topic: cx.directory.topic_name(id.topic).clone(),
            broker: cx.directory.broker_name(id.broker).clone(),
            queue: id.queue,
            offset,
            max: self.config.pull_messages,
            sys_flag: flags::SUBSCRIPTION | if hold { flags::SUSPEND } else { 0 },
            commit_offset: 0,
            suspend_ms: i64::try_from(wait.as_millis()).unwrap_or(0),
            subscription: Some(Text::from("*")),
            sub_version: 0,
            expression_type: Some(Text::from("TAG")),
            max_bytes: None,
            lite: false,
        };
        let purpose = Purpose::Pull(self.id, id, assigned.generation);
        let call = cx.call(peer, purpose, request.into(), Some(cx.now + deadline), hold);
        if let Some(assigned) = self.queues.get_mut(&id) {
            assigned.step = Step::Pulling(call, cx.now);
        }
    }

    /// A broker answered a pull, or did not.
    pub(crate) fn handle_pulled(
        &mut self,
        cx: &mut Cx,
        id: QueueId,
        generation: u32,
        from: PeerId,
        result: Result<Frame, CallError>,
    ) {
        let Some(assigned) = self.queues.get_mut(&id).filter(|assigned| assigned.generation == generation)
        else {
            return;
        };
        let (Step::Pulling(_, since), Some(asked)) = (assigned.step, assigned.next) else { return };
        let reply = result.and_then(|frame| match PullMessage::reply(&frame) {
            Ok(reply) => Ok((reply, frame.body)),
            Err(error) => Err(CallError::from_rpc(cx.peers.address(from), error)),
        });
        let (reply, body) = match reply {
            Ok(reply) => reply,
            Err(error) => {
                let soon =
                    [Some(ResponseCode::FLOW_CONTROL), Some(ResponseCode::GO_AWAY)].contains(&error.code());
                let pause = if soon {
                    limits::PULL_FLOW_PAUSE
                } else if matches!(error, CallError::Lost { .. }) {
                    limits::SEND_PAUSE // on top of the connection's own back-off
                } else {
                    limits::PULL_PAUSE
                };
                if error.code() == Some(ResponseCode::TOPIC_NOT_EXIST) {
                    cx.wanted.push((id.topic, false));
                }
                self.troubled(cx, id, error);
                return self.pause(cx, id, pause);
            }
        };
        assigned.trouble = None;
        assigned.end = Some(reply.max);
        let quick = cx.now.since(since) < limits::SEND_PAUSE;
        let (held, progress) = (cx.now.since(since) > limits::PULL_PAUSE, reply.next > asked);
        match reply.status {
            PullStatus::Found if progress && !body.is_empty() => {
                assigned.moves = 0;
                assigned.next = Some(reply.next);
                self.cache(cx, id, asked, reply, body);
                return self.advance(cx, id);
            }
            // Nothing that matches lies before `next`: as good as read, as soon as what is cached was taken.
            PullStatus::Found | PullStatus::NoMatch | PullStatus::NotFound if progress => {
                self.skip_to(id, reply.next)
            }
            PullStatus::OffsetMoved => {
                let queue = cx.directory.named(id);
                let to = reply.next.max(0);
                cx.out.push_back(Output::Note(Note::OffsetMoved { queue, from: asked, to }));
                assigned.moves += 1;
                let first = assigned.moves == 1;
                self.skip_to(id, to);
                self.tell(cx);
                if first {
                    return self.advance(cx, id);
                }
                return self.pause(cx, id, limits::PULL_PAUSE);
            }
            PullStatus::Found | PullStatus::NoMatch | PullStatus::NotFound => {}
        }
        self.tell(cx); // the end may be reached
        if progress || held || !quick {
            self.advance(cx, id);
        } else {
            self.pause(cx, id, limits::PULL_FLOW_PAUSE);
        }
    }

    fn cache(&mut self, cx: &mut Cx, id: QueueId, asked: i64, reply: PullReply, body: bytes::Bytes) {
        let Some(assigned) = self.queues.get_mut(&id) else { return };
        let messages = count_messages(&body).max(1);
        let not_before: Option<UnixMillis> = assigned.not_before.take();
        assigned.cached += messages;
        self.cached_messages += messages;
        self.cached_bytes += body.len();
        let pulled = Pulled {
            queue: cx.directory.named(id),
            from: asked,
            next: reply.next,
            min: reply.min,
            max: reply.max,
            offset_delta: reply.offset_delta,
            not_before,
            body,
        };
        self.chunks.push_back(Chunk { queue: id, messages, pulled });
        self.tell(cx);
    }

    /// Reads on elsewhere. The position follows at once if nothing before it is left to be taken.
    fn skip_to(&mut self, id: QueueId, to: i64) {
        let Some(assigned) = self.queues.get_mut(&id) else { return };
        assigned.next = Some(to);
        if assigned.cached == 0 {
            assigned.read = Some(to);
            return;
        }
        if let Some(last) = self.chunks.iter_mut().rev().find(|chunk| chunk.queue == id) {
            last.pulled.next = to;
        }
    }

    fn troubled(&mut self, cx: &mut Cx, id: QueueId, error: CallError) {
        let Some(assigned) = self.queues.get_mut(&id) else { return };
        if assigned.trouble.as_ref() != Some(&error) {
            cx.out.push_back(Output::Note(Note::Pull(cx.directory.named(id), error.clone())));
            assigned.trouble = Some(error);
            self.tell(cx);
        }
    }
}

/// Whether a broker will never give its whole table of offsets: not everybody may ask for it, and it may be too large
/// to be read. Larger than a frame, it takes the connection along, so it must not be asked for again. A broker that is
/// only busy or about to go may give it later.
fn tells_nothing(error: &CallError) -> bool {
    match error {
        CallError::Refused { code, .. } => !matches!(
            *code,
            ResponseCode::SYSTEM_BUSY
                | ResponseCode::FLOW_CONTROL
                | ResponseCode::SERVICE_NOT_AVAILABLE
                | ResponseCode::GO_AWAY
        ),
        CallError::Malformed { .. } => true,
        CallError::Lost { why, .. } => matches!(why, LostWhy::Protocol(FrameError::TooLarge { .. })),
        CallError::TimedOut { .. } | CallError::UnknownBroker(_) | CallError::Closed => false,
    }
}

/// How many messages a body holds, by their sizes alone; damage ends the count.
fn count_messages(mut body: &[u8]) -> usize {
    let mut count = 0;
    while let Some(size) =
        body.first_chunk::<4>().and_then(|size| usize::try_from(i32::from_be_bytes(*size)).ok())
    {
        count += 1;
        match body.get(size..) {
            Some(rest) if size > 0 => body = rest,
            _ => break,
        }
    }
    count
}
