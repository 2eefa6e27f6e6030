// Trust does what users of the stock Go client do, and prints what they can observe, one line each. Run with the same
// arguments against two clusters, two equal outputs mean that the clusters cannot be told apart by it. Addresses, times
// and ids are not printed, or as what they are.
//
// Arguments: name server, a prefix for the names of topics and groups, and the address of a broker.
package main

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"

	rocketmq "github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/admin"
	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/apache/rocketmq-client-go/v2/producer"
	"github.com/apache/rocketmq-client-go/v2/rlog"
)

const (
	queues   = 4
	count    = 40
	patience = 60 * time.Second
)

var (
	ctx       = context.Background()
	addresses = regexp.MustCompile(`/?\d+\.\d+\.\d+\.\d+:\d+`)
	names     primitive.NamesrvAddr
	prefix    string
	topic     string
	elsewhere string
	places    []*primitive.MessageQueue
)

func main() {
	go func() {
		// Whoever started this holds its input open; nothing shall go on when they are gone.
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(3)
	}()
	rlog.SetLogLevel("fatal")
	names, prefix = primitive.NamesrvAddr{os.Args[1]}, os.Args[2]
	topic, elsewhere = prefix+"-made-by-request", prefix+"-elsewhere"
	topicsAreMade(os.Args[3])
	sender := startProducer()
	messagesAreStored(sender)
	whatIsWrongIsRefused(sender)
	puller := startPuller(topic, prefix+"-puller")
	everythingIsReadBack(puller)
	pullsAnswerForEveryPlace(puller)
	offsetsAreKept(puller)
	aGroupConsumes()
	check(sender.Shutdown())
	say("closed", "yes")
}

func topicsAreMade(broker string) {
	administrator := must(admin.NewAdmin(admin.WithResolver(primitive.NewPassthroughResolver(names))))
	attempt("made by request", func() (any, error) {
		return "done", administrator.CreateTopic(ctx, admin.WithTopicCreate(topic), admin.WithBrokerAddrCreate(broker),
			admin.WithReadQueueNums(queues), admin.WithWriteQueueNums(queues))
	})
	attempt("illegal topic made by request", func() (any, error) {
		return "done", administrator.CreateTopic(ctx, admin.WithTopicCreate("not a topic!"), admin.WithBrokerAddrCreate(broker))
	})
	until("its queues", func() bool {
		found, err := administrator.FetchPublishMessageQueues(ctx, topic)
		places = found
		return err == nil && len(found) > 0
	})
	sort.Slice(places, func(a, b int) bool { return places[a].QueueId < places[b].QueueId })
	for _, place := range places {
		say("queue", fmt.Sprint(place.BrokerName, " ", place.QueueId))
	}
	attempt("another made by request", func() (any, error) {
		return "done", administrator.CreateTopic(ctx, admin.WithTopicCreate(elsewhere), admin.WithBrokerAddrCreate(broker))
	})
	until("its queues too", func() bool {
		found, err := administrator.FetchPublishMessageQueues(ctx, elsewhere)
		return err == nil && len(found) > 0
	})
	doomed := prefix + "-doomed"
	attempt("made to be deleted", func() (any, error) {
		return "done", administrator.CreateTopic(ctx, admin.WithTopicCreate(doomed), admin.WithBrokerAddrCreate(broker))
	})
	listed := func() (bool, error) {
		all, err := administrator.FetchAllTopicList(ctx)
		if err != nil {
			return false, err
		}
		for _, one := range all.TopicList {
			if one == doomed {
				return true, nil
			}
		}
		return false, nil
	}
	until("it is listed", func() bool { is, err := listed(); return is && err == nil })
	attempt("deleted", func() (any, error) {
		return "done", administrator.DeleteTopic(ctx, admin.WithTopicDelete(doomed), admin.WithBrokerAddrDelete(broker),
			admin.WithNameSrvAddr(names))
	})
	attempt("listed after that", func() (any, error) { return listed() })
	check(administrator.Close())
}

func startProducer() rocketmq.Producer {
	sender := must(rocketmq.NewProducer(producer.WithNameServer(names), producer.WithGroupName(prefix+"-producer"),
		producer.WithInstanceName(prefix+"-producer"), producer.WithQueueSelector(producer.NewManualQueueSelector()),
		producer.WithSendMsgTimeout(20*time.Second), producer.WithCompressMsgBodyOverHowmuch(64<<20), producer.WithRetry(0)))
	check(sender.Start())
	return sender
}

func message(n int) *primitive.Message {
	text := "body " + strconv.Itoa(n) + strings.Repeat(" ü🚀", n)
	message := primitive.NewMessage(topic, []byte(text)).WithTag([]string{"TagA", "TagB", "TagC"}[n%3])
	message.WithKeys([]string{"key-" + strconv.Itoa(n), "all"}).WithProperty("n", strconv.Itoa(n))
	message.WithProperty("text", "ünïcode \"quoted\" \\ 🚀")
	message.Flag = int32(n)
	message.Queue = places[n%queues]
	return message
}

func messagesAreStored(sender rocketmq.Producer) {
	last := int64(-1)
	for n := 0; n < count; n++ {
		sent, err := sender.SendSync(ctx, message(n))
		if err != nil {
			say(fmt.Sprint("send ", n), tell(err))
			continue
		}
		physical := must(strconv.ParseInt(sent.OffsetMsgID[16:], 16, 64))
		distance := ""
		if last >= 0 {
			distance = fmt.Sprint(" after ", physical-last)
		}
		last = physical
		say(fmt.Sprint("send ", n), fmt.Sprint(sent.Status, " queue ", sent.MessageQueue.QueueId, " offset ", sent.QueueOffset,
			distance, " region ", sent.RegionID, " trace ", sent.TraceOn, " transaction ", sent.TransactionID != ""))
	}
	for n := count; n < count+queues; n++ {
		check(sender.SendOneWay(ctx, message(n)))
	}
}

func whatIsWrongIsRefused(sender rocketmq.Producer) {
	send := func(change func(*primitive.Message)) func() (any, error) {
		return func() (any, error) {
			wrong := message(0)
			change(wrong)
			sent, err := sender.SendSync(ctx, wrong)
			if err != nil {
				return nil, err
			}
			return sent.Status, nil
		}
	}
	attempt("body of 4 MiB and 1", send(func(m *primitive.Message) { m.Body = make([]byte, 4<<20+1) }))
	attempt("property of 32 KiB", send(func(m *primitive.Message) { m.WithProperty("long", strings.Repeat("x", 32<<10)) }))
	attempt("queue that is none", send(func(m *primitive.Message) {
		m.Queue = &primitive.MessageQueue{Topic: topic, BrokerName: places[0].BrokerName, QueueId: 99}
	}))
}

func startPuller(topic, group string) rocketmq.PullConsumer {
	puller := must(rocketmq.NewPullConsumer(consumer.WithNameServer(names), consumer.WithGroupName(group),
		consumer.WithInstance(group+strconv.FormatInt(time.Now().UnixNano(), 36))))
	check(puller.Subscribe(topic, consumer.MessageSelector{Type: consumer.TAG, Expression: "*"}))
	check(puller.Start())
	return puller
}

func everythingIsReadBack(puller rocketmq.PullConsumer) {
	for _, place := range places {
		var read []*primitive.MessageExt
		until("all of a queue", func() bool {
			result, err := puller.PullFrom(ctx, place, int64(len(read)), 32)
			if err == nil {
				read = append(read, result.GetMessageExts()...)
			}
			return len(read) >= count/queues+1
		})
		for _, one := range read {
			say(fmt.Sprintf("read %d@%03d", one.Queue.QueueId, one.QueueOffset), show(one))
		}
	}
}

func show(one *primitive.MessageExt) string {
	properties := one.GetProperties()
	properties["UNIQ_KEY"] = fmt.Sprint("(", len(properties["UNIQ_KEY"]), ")")
	delete(properties, "MIN_OFFSET")
	delete(properties, "MAX_OFFSET")
	var all []string
	for name, value := range properties {
		all = append(all, name+"="+value)
	}
	sort.Strings(all)
	return fmt.Sprint("topic ", one.Topic, " flag ", one.Flag, " sys ", one.SysFlag, " body ", len(one.Body), "/",
		crc32.ChecksumIEEE(one.Body), " crc ", one.BodyCRC, " attempt ", one.ReconsumeTimes, " size ", one.StoreSize,
		" prepared ", one.PreparedTransactionOffset, " ", strings.Join(all, ", "))
}

func pullsAnswerForEveryPlace(puller rocketmq.PullConsumer) {
	pull := func(place *primitive.MessageQueue, from int64, most int) func() (any, error) {
		return func() (any, error) {
			result, err := puller.PullFrom(ctx, place, from, most)
			if err != nil {
				return nil, err
			}
			return fmt.Sprint(result.Status, " ", len(result.GetMessageExts()), " next ", result.NextBeginOffset, " of ",
				result.MinOffset, "..", result.MaxOffset), nil
		}
	}
	end := int64(count/queues + 1)
	// Not from the end itself: this client lets the broker hold such a pull for 20 seconds.
	for _, from := range []int64{0, 5, end - 1, end + 1, 100000} {
		attempt(fmt.Sprint("pull from ", from), pull(places[2], from, 32))
	}
	attempt("pull 3", pull(places[2], 0, 3))
	none := func(topic string, queue int) *primitive.MessageQueue {
		return &primitive.MessageQueue{Topic: topic, BrokerName: places[0].BrokerName, QueueId: queue}
	}
	attempt("pull a queue that is none", pull(none(topic, 99), 0, 32))
	attempt("pull a topic that is none", pull(none(prefix+"-missing", 0), 0, 32))
}

func offsetsAreKept(puller rocketmq.PullConsumer) {
	commit := func(offset int64) error {
		if err := puller.UpdateOffset(places[0], offset); err != nil {
			return err
		}
		return puller.PersistOffset(ctx, topic)
	}
	for _, offset := range []int64{3, 7} {
		attempt(fmt.Sprint("commit ", offset), func() (any, error) { return "done", commit(offset) })
		// Nobody answers a commit, and brokers have several threads for them: the next one waits until this one is kept.
		// One that the client forgot, as it does before it has its queues, is made again.
		until(fmt.Sprint(offset, " is kept"), func() bool {
			if kept, err := keptOffset(places[0]); err == nil && kept == offset {
				return true
			}
			check(commit(offset))
			return false
		})
	}
	check(puller.Shutdown())
	for _, place := range places[:2] {
		attempt(fmt.Sprint("committed ", place.QueueId), func() (any, error) { return keptOffset(place) })
	}
}

// Asks the broker: who asked once remembers what it heard. It is subscribed to another topic, or closing it would commit
// what it heard.
func keptOffset(place *primitive.MessageQueue) (int64, error) {
	asks := startPuller(elsewhere, prefix+"-puller")
	offset, err := asks.CurrentOffset(place)
	check(asks.Shutdown())
	return offset, err
}

func aGroupConsumes() {
	group := must(rocketmq.NewPushConsumer(consumer.WithNameServer(names), consumer.WithGroupName(prefix+"-group"),
		consumer.WithInstance(prefix+"-group"), consumer.WithConsumeFromWhere(consumer.ConsumeFromFirstOffset)))
	var lock sync.Mutex
	var got []string
	check(group.Subscribe(topic, consumer.MessageSelector{Type: consumer.TAG, Expression: "TagA || TagC"},
		func(_ context.Context, messages ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
			lock.Lock()
			defer lock.Unlock()
			for _, one := range messages {
				got = append(got, fmt.Sprint(one.GetTags(), " ", one.GetProperty("n"), " attempt ", one.ReconsumeTimes))
			}
			return consumer.ConsumeSuccess, nil
		}))
	check(group.Start())
	expected := 0
	for n := 0; n < count+queues; n++ {
		if n%3 != 1 {
			expected++
		}
	}
	until("the group has consumed", func() bool {
		lock.Lock()
		defer lock.Unlock()
		return len(got) >= expected
	})
	check(group.Shutdown())
	lock.Lock()
	defer lock.Unlock()
	sort.Strings(got)
	say("a group of one consumed", fmt.Sprint(len(got), " of ", expected, " ", got))
}

func attempt(what string, action func() (any, error)) {
	seen, err := action()
	if err != nil {
		say(what, tell(err))
		return
	}
	say(what, fmt.Sprint(seen))
}

func tell(err error) string {
	var refused *primitive.MQBrokerErr
	if errors.As(err, &refused) {
		return fmt.Sprint("refused ", refused.ResponseCode, " ", refused.ErrorMessage)
	}
	return "failed " + err.Error()
}

func say(what, seen string) {
	line, rest, more := strings.Cut(what+": "+seen, "\n")
	if more && rest != "" {
		line += " …"
	}
	fmt.Println(addresses.ReplaceAllString(line, "ADDRESS"))
}

// Brokers register and index a little later.
func until(what string, holds func() bool) {
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			say("not in time", what)
			return
		}
	}
}

func must[T any](value T, err error) T {
	check(err)
	return value
}

func check(err error) {
	if err != nil {
		fmt.Println("stopped:", err)
		os.Exit(1)
	}
}
