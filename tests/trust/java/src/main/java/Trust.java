import java.lang.reflect.Method;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicReference;

import org.apache.rocketmq.client.consumer.DefaultLitePullConsumer;
import org.apache.rocketmq.client.consumer.DefaultMQPullConsumer;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.PullResult;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.exception.MQBrokerException;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/**
 * Does what users of the stock client do, and prints what they can observe, one line each. Run with the same arguments
 * against two clusters, two equal outputs mean that the clusters cannot be told apart by it. Addresses, times and ids
 * are not printed, or as what they are.
 *
 * Arguments: name server, and a prefix for the names of topics and groups.
 */
public final class Trust {
    private static final int QUEUES = 4;
    private static final int COUNT = 40;
    private static final long PATIENCE = 30_000;

    private final String nameServer;
    private final String prefix;
    private final DefaultMQProducer producer;
    private final DefaultMQPullConsumer puller;
    private String topic;
    private List<MessageQueue> queues;

    private Trust(String nameServer, String prefix) {
        this.nameServer = nameServer;
        this.prefix = prefix;
        producer = new DefaultMQProducer(prefix + "-producer");
        producer.setNamesrvAddr(nameServer);
        producer.setInstanceName(prefix + "-producer");
        producer.setCompressMsgBodyOverHowmuch(Integer.MAX_VALUE);
        producer.setMaxMessageSize(8 * 1024 * 1024);
        producer.setSendMsgTimeout(20_000);
        puller = new DefaultMQPullConsumer(prefix + "-puller");
        puller.setNamesrvAddr(nameServer);
        puller.setInstanceName(prefix + "-puller");
    }

    public static void main(String[] arguments) throws Exception {
        endWithInput();
        Trust trust = new Trust(arguments[0], arguments[1]);
        trust.run();
        System.out.flush();
        // The client leaves threads behind that are not daemons.
        Runtime.getRuntime().halt(0);
    }

    /** Whoever started this holds its input open; nothing shall go on when they are gone. */
    private static void endWithInput() {
        Thread watch = new Thread(() -> {
            try {
                while (System.in.read() >= 0) {
                    continue;
                }
            } catch (java.io.IOException gone) {
                // As good as an end.
            }
            Runtime.getRuntime().halt(3);
        });
        watch.setDaemon(true);
        watch.start();
    }

    private void run() throws Exception {
        producer.start();
        puller.start();
        topicsAreMade();
        messagesAreStored();
        whatIsWrongIsRefused();
        queuesHaveEnds();
        timesAreFound();
        messagesAreFound();
        pullsAnswerForEveryPlace();
        heldPullsWake();
        offsetsAreKept();
        everythingIsReadBack();
        aGroupConsumes();
        puller.shutdown();
        producer.shutdown();
        say("closed", "yes");
    }

    private void topicsAreMade() throws Exception {
        attempt("route of a missing topic", () -> producer.fetchPublishMessageQueues(prefix + "-missing").size());
        String made = prefix + "-made-by-sending";
        SendResult first = producer.send(new Message(made, "first".getBytes(StandardCharsets.UTF_8)));
        say("made by sending", first.getSendStatus() + " offset " + first.getQueueOffset());
        say("made by sending has queues", until(() -> producer.fetchPublishMessageQueues(made).size()));
        topic = prefix + "-made-by-request";
        attempt("made by request", () -> {
            createTopic(topic);
            return "done";
        });
        queues = new ArrayList<>(until(() -> producer.fetchPublishMessageQueues(topic)));
        Collections.sort(queues);
        say("made by request has queues", queues.size() + " on " + queues.get(0).getBrokerName());
        say("to read from", puller.fetchSubscribeMessageQueues(topic).size());
    }

    /** The releases differ in the last parameter. */
    private void createTopic(String name) throws Exception {
        for (Method method : DefaultMQProducer.class.getMethods()) {
            Class<?>[] kinds = method.getParameterTypes();
            boolean short4 = kinds.length == 3 || kinds.length == 4 && kinds[3] == Map.class;
            if (!method.getName().equals("createTopic") || !short4) {
                continue;
            }
            Object[] given = {"TBW102", name, QUEUES, new HashMap<String, String>()};
            try {
                method.invoke(producer, Arrays.copyOf(given, kinds.length));
            } catch (java.lang.reflect.InvocationTargetException failed) {
                throw (Exception) failed.getCause();
            }
            return;
        }
        throw new IllegalStateException("no createTopic");
    }

    private Message message(int n) {
        String tag = new String[] {"TagA", "TagB", "TagC"}[n % 3];
        Message message = new Message(topic, tag, "key-" + n + " all", body(n));
        message.putUserProperty("n", Integer.toString(n));
        message.putUserProperty("text", "ünïcode \"quoted\" \\ 🚀");
        message.setFlag(n);
        return message;
    }

    private static byte[] body(int n) {
        StringBuilder text = new StringBuilder("body " + n);
        for (int i = 0; i < n; i++) {
            text.append(" ü🚀");
        }
        return text.toString().getBytes(StandardCharsets.UTF_8);
    }

    private void messagesAreStored() throws Exception {
        long last = -1;
        for (int n = 0; n < COUNT; n++) {
            SendResult sent = producer.send(message(n), queues.get(n % QUEUES));
            long physical = Long.parseUnsignedLong(sent.getOffsetMsgId().substring(16), 16);
            String distance = last < 0 ? "" : " after " + (physical - last);
            last = physical;
            say("send " + n, sent.getSendStatus() + " queue " + sent.getMessageQueue().getQueueId() + " offset "
                    + sent.getQueueOffset() + distance + " region " + sent.getRegionId() + " trace " + sent.isTraceOn()
                    + " transaction " + (sent.getTransactionId() != null) + " id " + sent.getOffsetMsgId().length());
            // Store times shall differ, for they are searched by.
            Thread.sleep(4);
        }
        for (int n = COUNT; n < COUNT + QUEUES; n++) {
            producer.sendOneway(message(n), queues.get(n % QUEUES));
        }
        long each = COUNT / QUEUES + 1;
        for (MessageQueue queue : queues) {
            say("after one-way sends " + queue.getQueueId(), until(() -> {
                long end = producer.maxOffset(queue);
                return end >= each ? end : null;
            }));
        }
    }

    private void whatIsWrongIsRefused() throws Exception {
        MessageQueue queue = queues.get(0);
        String other = prefix + "-sizes";
        MessageQueue big = new MessageQueue(other, queue.getBrokerName(), 0);
        producer.send(new Message(other, new byte[] {1}));
        attempt("body of 4 MiB", () -> producer.send(new Message(other, new byte[4 << 20]), big).getSendStatus());
        attempt("body of 4 MiB and 1", () -> producer.send(new Message(other, new byte[(4 << 20) + 1]), big).getSendStatus());
        attempt("property of 32 KiB", () -> {
            Message message = new Message(other, new byte[] {1});
            message.putUserProperty("long", new String(new char[32 * 1024]).replace('\0', 'x'));
            return producer.send(message, big).getSendStatus();
        });
        attempt("queue that is none", () ->
                producer.send(message(0), new MessageQueue(topic, queue.getBrokerName(), 99)).getSendStatus());
        attempt("illegal topic", () -> producer.send(new Message("not a topic!", new byte[] {1})).getSendStatus());
        attempt("empty body", () -> producer.send(new Message(topic, new byte[0]), queue).getSendStatus());
    }

    private void queuesHaveEnds() {
        for (MessageQueue queue : queues) {
            attempt("ends of queue " + queue.getQueueId(), () -> producer.minOffset(queue) + ".." + producer.maxOffset(queue));
        }
        MessageQueue none = new MessageQueue(topic, queues.get(0).getBrokerName(), 99);
        attempt("ends of a queue that is none", () -> producer.minOffset(none) + ".." + producer.maxOffset(none));
        attempt("earliest time of a queue", () -> producer.earliestMsgStoreTime(queues.get(0)) > 0);
        attempt("earliest time of a queue that is none", () -> producer.earliestMsgStoreTime(none));
    }

    private void timesAreFound() throws Exception {
        MessageQueue queue = queues.get(1);
        List<MessageExt> found = until(() -> puller.pull(queue, "*", 0, 32).getMsgFoundList());
        for (int at : new int[] {0, 3, found.size() - 1}) {
            long stored = found.get(at).getStoreTimestamp();
            attempt("search the time of " + at, () -> producer.searchOffset(queue, stored));
            attempt("search before the time of " + at, () -> producer.searchOffset(queue, stored - 1));
            attempt("search after the time of " + at, () -> producer.searchOffset(queue, stored + 1));
        }
        attempt("search time 0", () -> producer.searchOffset(queue, 0));
        attempt("search the far future", () -> producer.searchOffset(queue, System.currentTimeMillis() + 86_400_000));
        MessageQueue none = new MessageQueue(topic, queue.getBrokerName(), 99);
        attempt("search a queue that is none", () -> producer.searchOffset(none, 0));
    }

    private void messagesAreFound() throws Exception {
        SendResult sent = producer.send(message(100), queues.get(0));
        attempt("view by offset id", () -> {
            MessageExt seen = until(() -> producer.viewMessage(topic, sent.getOffsetMsgId()));
            return show(seen);
        });
        attempt("query by key", () -> {
            List<MessageExt> list = until(() -> query("key-7"));
            return list.size() + " " + show(list.get(0));
        });
        attempt("query by a key of many", () -> until(() -> {
            List<MessageExt> list = query("all");
            return list.size() < 32 ? null : list.size();
        }));
        attempt("query by a key of none", () -> query("no-such-key").size());
    }

    private List<MessageExt> query(String key) throws Exception {
        return producer.queryMessage(topic, key, 32, 0, Long.MAX_VALUE).getMessageList();
    }

    private void pullsAnswerForEveryPlace() throws Exception {
        MessageQueue queue = queues.get(2);
        long end = producer.maxOffset(queue);
        for (long from : new long[] {0, 5, end - 1, end, end + 1, 100_000, -1}) {
            attempt("pull from " + from, () -> show(puller.pull(queue, "*", from, 32)));
        }
        attempt("pull 3", () -> show(puller.pull(queue, "*", 0, 3)));
        for (String tags : new String[] {"TagA", "TagA || TagB", "TagZ"}) {
            attempt("pull " + tags, () -> show(puller.pull(queue, tags, 0, 32)));
        }
        String broker = queue.getBrokerName();
        attempt("pull a queue that is none", () -> show(puller.pull(new MessageQueue(topic, broker, 99), "*", 0, 32)));
        attempt("pull a topic that is none", () ->
                show(puller.pull(new MessageQueue(prefix + "-missing", broker, 0), "*", 0, 32)));
    }

    private void heldPullsWake() throws Exception {
        MessageQueue queue = queues.get(3);
        long end = producer.maxOffset(queue);
        AtomicReference<String> seen = new AtomicReference<>();
        Thread held = new Thread(() -> {
            try {
                seen.set(show(puller.pullBlockIfNotFound(queue, "*", end, 32)));
            } catch (Exception error) {
                seen.set(tell(error));
            }
        });
        held.start();
        // Long enough to be held; whether it was makes no difference to what comes.
        Thread.sleep(300);
        producer.send(message(101), queue);
        held.join(PATIENCE);
        say("a held pull wakes with", seen.get());
    }

    private void offsetsAreKept() throws Exception {
        MessageQueue queue = queues.get(0);
        attempt("offset of a new group", () -> puller.fetchConsumeOffset(queue, true));
        for (long offset : new long[] {3, 7, 2, 100_000}) {
            attempt("commit " + offset, () -> {
                puller.getDefaultMQPullConsumerImpl().getOffsetStore().updateConsumeOffsetToBroker(queue, offset, false);
                return puller.fetchConsumeOffset(queue, true);
            });
        }
        attempt("offset of another queue", () -> puller.fetchConsumeOffset(queues.get(1), true));
        MessageQueue missing = new MessageQueue(prefix + "-missing", queue.getBrokerName(), 0);
        attempt("commit for a topic that is none", () -> {
            puller.getDefaultMQPullConsumerImpl().getOffsetStore().updateConsumeOffsetToBroker(missing, 1, false);
            return "done";
        });
        attempt("offset for a topic that is none", () -> puller.fetchConsumeOffset(missing, true));
    }

    private void everythingIsReadBack() throws Exception {
        DefaultLitePullConsumer reader = new DefaultLitePullConsumer(prefix + "-reader");
        reader.setNamesrvAddr(nameServer);
        reader.setInstanceName(prefix + "-reader");
        reader.setAutoCommit(false);
        reader.start();
        Collection<MessageQueue> fetched = reader.fetchMessageQueues(topic);
        say("assigned", fetched.size());
        reader.assign(fetched);
        for (MessageQueue queue : fetched) {
            reader.seekToBegin(queue);
        }
        long expected = 0;
        for (MessageQueue queue : queues) {
            expected += producer.maxOffset(queue);
        }
        Map<String, String> read = new TreeMap<>();
        // The 5.x client asks by a request that 4.9 brokers do not know: then nothing ever comes.
        int idle = 0;
        while (read.size() < expected && idle < 10) {
            List<MessageExt> polled = reader.poll(1000);
            idle = polled.isEmpty() ? idle + 1 : 0;
            for (MessageExt message : polled) {
                String place = String.format("read %d@%03d", message.getQueueId(), message.getQueueOffset());
                if (read.put(place, show(message)) != null) {
                    say(place, "came twice");
                }
            }
        }
        read.forEach(Trust::say);
        say("read", read.size() + " of " + expected);
        reader.commitSync();
        for (MessageQueue queue : queues) {
            attempt("committed " + queue.getQueueId(), () -> until(() -> {
                Long offset = reader.committed(queue);
                return offset < 0 ? null : offset;
            }));
        }
        reader.shutdown();
    }

    private void aGroupConsumes() throws Exception {
        DefaultMQPushConsumer consumer = new DefaultMQPushConsumer(prefix + "-group");
        consumer.setNamesrvAddr(nameServer);
        consumer.setInstanceName(prefix + "-group");
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.subscribe(topic, "TagA || TagC");
        ConcurrentLinkedQueue<String> got = new ConcurrentLinkedQueue<>();
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            for (MessageExt message : messages) {
                got.add(message.getTags() + " " + message.getUserProperty("n") + " attempt " + message.getReconsumeTimes());
            }
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        consumer.start();
        // Of 0 to 43, 100 and 101, these are not TagB.
        int expected = 0;
        for (int n = 0; n < COUNT + QUEUES; n++) {
            expected += n % 3 == 1 ? 0 : 1;
        }
        expected += 1;
        // A client may miss its own first heartbeat, and then waits for the next one and the rebalance after it.
        long deadline = System.currentTimeMillis() + 3 * PATIENCE;
        while (got.size() < expected && System.currentTimeMillis() < deadline) {
            Thread.sleep(20);
        }
        List<String> sorted = new ArrayList<>(got);
        Collections.sort(sorted);
        say("a group of one consumed", sorted.size() + " of " + expected + " " + sorted);
        consumer.shutdown();
        DefaultMQPullConsumer after = new DefaultMQPullConsumer(prefix + "-group");
        after.setNamesrvAddr(nameServer);
        after.setInstanceName(prefix + "-after");
        after.start();
        for (MessageQueue queue : queues) {
            // How far it came depends on which listeners were done when the client shut down.
            attempt("the group stopped in " + queue.getQueueId(), () -> until(() -> {
                long offset = after.fetchConsumeOffset(queue, true);
                long end = after.maxOffset(queue);
                return offset < 0 ? null : offset <= end ? "within the queue" : offset + " of " + end;
            }));
        }
        after.shutdown();
    }

    private static String show(PullResult result) {
        int found = result.getMsgFoundList() == null ? 0 : result.getMsgFoundList().size();
        return result.getPullStatus() + " " + found + " next " + result.getNextBeginOffset() + " of "
                + result.getMinOffset() + ".." + result.getMaxOffset();
    }

    private static String show(MessageExt message) {
        Map<String, String> properties = new TreeMap<>(message.getProperties());
        properties.computeIfPresent("UNIQ_KEY", (name, id) -> "(" + id.length() + ")");
        // The client's own, put in while reading.
        properties.remove("MIN_OFFSET");
        properties.remove("MAX_OFFSET");
        boolean timely = message.getStoreTimestamp() >= message.getBornTimestamp() - 1000;
        return "topic " + message.getTopic() + " flag " + message.getFlag() + " sys " + message.getSysFlag() + " body "
                + message.getBody().length + "/" + Arrays.hashCode(message.getBody()) + " crc " + message.getBodyCRC()
                + " attempt " + message.getReconsumeTimes() + " timely " + timely + " size " + message.getStoreSize()
                + " prepared " + message.getPreparedTransactionOffset() + " " + properties;
    }

    private static void say(String what, Object seen) {
        System.out.println(what + ": " + plain(String.valueOf(seen)));
    }

    private static String plain(String text) {
        String line = text.contains("\n") ? text.substring(0, text.indexOf('\n')) + " …" : text;
        return line.replaceAll("/?\\d+\\.\\d+\\.\\d+\\.\\d+:\\d+", "ADDRESS").replaceAll("cost(ed)? \\[?\\d+\\]? ?ms", "cost N ms");
    }

    /** Once; only when there was no answer in the client's own time, for the machine may be busy, again. */
    private static void attempt(String what, Callable<?> action) {
        String seen = "";
        for (int left = 5; left > 0; left--) {
            try {
                seen = String.valueOf(action.call());
            } catch (Exception error) {
                seen = tell(error);
            }
            if (!seen.contains("Timeout")) {
                break;
            }
        }
        say(what, seen);
    }

    private static String tell(Exception error) {
        if (error instanceof MQBrokerException) {
            MQBrokerException refused = (MQBrokerException) error;
            return "refused " + refused.getResponseCode() + " " + refused.getErrorMessage();
        }
        if (error instanceof MQClientException) {
            MQClientException failed = (MQClientException) error;
            Throwable cause = failed.getCause();
            String why = cause instanceof Exception ? " for " + tell((Exception) cause) : "";
            return "failed " + failed.getResponseCode() + " " + failed.getErrorMessage() + why;
        }
        return error.getClass().getSimpleName() + " " + error.getMessage();
    }

    /** Asks until there is an answer that is not null and no error: brokers register and index a little later. */
    private static <T> T until(Callable<T> ask) throws Exception {
        long deadline = System.currentTimeMillis() + PATIENCE;
        while (true) {
            Exception failed = null;
            try {
                T answer = ask.call();
                if (answer != null) {
                    return answer;
                }
            } catch (Exception error) {
                failed = error;
            }
            if (System.currentTimeMillis() > deadline) {
                throw failed != null ? failed : new IllegalStateException("never came");
            }
            Thread.sleep(20);
        }
    }
}
