// Workers of the Kinesis Client Library, versions 2 and 3, of several applications in one process.
//
//     java -cp "jars/*" KclWorkers.java
//
// It reads commands from its input, one a line:
//
//     start WORKER APPLICATION STREAM LIMIT FAILOVER_MILLIS FILE
//     stop WORKER
//
// A worker appends each call of a shard's processor to FILE, as a line of JSON. It takes LIMIT records of a shard, writes a
// checkpoint for the last of them and a pending one for the last record that it got, and ignores all further ones. It does
// not wait in a call, so that the library can go on with its other shards. On a slow machine the library may lose a lease
// and take it again: the next processor of the shard goes on with the same count.
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Collectors;
import software.amazon.awssdk.services.cloudwatch.CloudWatchAsyncClient;
import software.amazon.awssdk.services.dynamodb.DynamoDbAsyncClient;
import software.amazon.awssdk.services.kinesis.KinesisAsyncClient;
import software.amazon.kinesis.common.ConfigsBuilder;
import software.amazon.kinesis.common.InitialPositionInStream;
import software.amazon.kinesis.common.InitialPositionInStreamExtended;
import software.amazon.kinesis.coordinator.Scheduler;
import software.amazon.kinesis.lifecycle.events.InitializationInput;
import software.amazon.kinesis.lifecycle.events.LeaseLostInput;
import software.amazon.kinesis.lifecycle.events.ProcessRecordsInput;
import software.amazon.kinesis.lifecycle.events.ShardEndedInput;
import software.amazon.kinesis.lifecycle.events.ShutdownRequestedInput;
import software.amazon.kinesis.metrics.NullMetricsFactory;
import software.amazon.kinesis.processor.ShardRecordProcessor;
import software.amazon.kinesis.processor.SingleStreamTracker;
import software.amazon.kinesis.retrieval.KinesisClientRecord;
import software.amazon.kinesis.retrieval.kpl.ExtendedSequenceNumber;
import software.amazon.kinesis.retrieval.polling.PollingConfig;

public class KclWorkers {
    static final URI KINESIS = URI.create(System.getenv("AWS_ENDPOINT_URL_KINESIS"));
    static final URI DYNAMODB = URI.create(System.getenv("AWS_ENDPOINT_URL_DYNAMODB"));
    static final KinesisAsyncClient kinesis = KinesisAsyncClient.builder().endpointOverride(KINESIS).build();
    static final DynamoDbAsyncClient dynamodb = DynamoDbAsyncClient.builder().endpointOverride(DYNAMODB).build();
    static final CloudWatchAsyncClient cloudwatch = CloudWatchAsyncClient.builder().endpointOverride(DYNAMODB).build();
    static final Map<String, Scheduler> schedulers = new ConcurrentHashMap<>();
    static final Map<String, Path> files = new ConcurrentHashMap<>();
    // The records that a worker has taken of a shard and checkpointed, by its file and the shard's id.
    static final Map<String, Integer> taken = new ConcurrentHashMap<>();

    static synchronized void write(Path file, Object... words) {
        String line = Arrays.stream(words).map(word -> "\"" + word + "\"").collect(Collectors.joining(", ", "[", "]\n"));
        try {
            Files.writeString(file, line, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
        } catch (java.io.IOException error) {
            throw new java.io.UncheckedIOException(error);
        }
    }

    static String place(ExtendedSequenceNumber number) {
        return number.sequenceNumber() + "/" + number.subSequenceNumber();
    }

    static class Processor implements ShardRecordProcessor {
        private final Path file;
        private final int limit;
        private String shard;
        private boolean hasLeftRecords;

        Processor(Path file, int limit) {
            this.file = file;
            this.limit = limit;
        }

        @Override
        public void initialize(InitializationInput input) {
            shard = input.shardId();
            var announced = input.pendingCheckpointSequenceNumber();
            write(file, shard, "begins", announced == null ? "" : place(announced) + "/" + new String(
                input.pendingCheckpointState(), StandardCharsets.UTF_8));
        }

        @Override
        public void processRecords(ProcessRecordsInput input) {
            KinesisClientRecord last = null;
            KinesisClientRecord left = null;
            String counted = file + " " + shard;
            int count = taken.getOrDefault(counted, 0);
            for (KinesisClientRecord record : input.records()) {
                if (count < limit) {
                    count++;
                    last = record;
                    write(file, shard, "record", StandardCharsets.UTF_8.decode(record.data()));
                } else {
                    left = record;
                }
            }
            try {
                if (last != null) {
                    input.checkpointer().checkpoint(last.sequenceNumber(), last.subSequenceNumber());
                    taken.put(counted, count);
                }
                if (left != null && !hasLeftRecords) {
                    hasLeftRecords = true;
                    input.checkpointer().prepareCheckpoint(
                        left.sequenceNumber(), left.subSequenceNumber(), "by-kcl".getBytes(StandardCharsets.UTF_8));
                }
                if (last != null) {
                    write(file, shard, "checkpoint", last.sequenceNumber() + "/" + last.subSequenceNumber());
                }
            } catch (Exception error) {
                write(file, shard, "refused", error.getClass().getSimpleName());
            }
        }

        @Override
        public void leaseLost(LeaseLostInput input) {
            write(file, shard, "lost", "");
        }

        @Override
        public void shardEnded(ShardEndedInput input) {
            if (hasLeftRecords) {
                return;
            }
            write(file, shard, "ends", "");
            try {
                input.checkpointer().checkpoint();
            } catch (Exception error) {
                write(file, shard, "refused", error.getClass().getSimpleName());
            }
        }

        @Override
        public void shutdownRequested(ShutdownRequestedInput input) {
            write(file, shard, "closes", "");
        }
    }

    static void set(Object config, String name, Class<?> type, Object value) {
        try {  // what this version of the library does not have
            config.getClass().getMethod(name, type).invoke(config, value);
        } catch (ReflectiveOperationException absent) {
            System.err.println("no option " + name);
        }
    }

    static void start(String worker, String application, String stream, int limit, long failover, Path file) {
        var position = InitialPositionInStreamExtended.newInitialPosition(InitialPositionInStream.TRIM_HORIZON);
        var configs = new ConfigsBuilder(
            new SingleStreamTracker(stream, position), application, kinesis, dynamodb, cloudwatch, worker,
            () -> new Processor(file, limit));
        var coordinator = configs.coordinatorConfig();
        coordinator.parentShardPollIntervalMillis(300).shardConsumerDispatchPollIntervalMillis(200);
        var leases = configs.leaseManagementConfig();
        leases.failoverTimeMillis(failover).shardSyncIntervalMillis(1000);
        set(leases, "leaseAssignmentIntervalMillis", Long.class, 1000L);
        var retrieval = configs.retrievalConfig();
        retrieval.retrievalSpecificConfig(new PollingConfig(stream, kinesis).idleTimeBetweenReadsInMillis(250));
        var metrics = configs.metricsConfig().metricsFactory(new NullMetricsFactory());
        var scheduler = new Scheduler(
            configs.checkpointConfig(), coordinator, leases, configs.lifecycleConfig(), metrics,
            configs.processorConfig(), retrieval);
        schedulers.put(worker, scheduler);
        files.put(worker, file);
        new Thread(scheduler, worker).start();
    }

    static void stop(String worker) {
        try {
            boolean ended = schedulers.get(worker).startGracefulShutdown().get();
            write(files.get(worker), "", "stopped", ended);
        } catch (Exception error) {
            write(files.get(worker), "", "stopped", error);
        }
    }

    public static void main(String[] arguments) throws Exception {
        var input = new BufferedReader(new InputStreamReader(System.in));
        for (String line = input.readLine(); line != null; line = input.readLine()) {
            String[] words = line.split(" ");
            if (words[0].equals("start")) {
                start(words[1], words[2], words[3], Integer.parseInt(words[4]), Long.parseLong(words[5]),
                    Path.of(words[6]));
            } else {
                new Thread(() -> stop(words[1])).start();
            }
        }
        System.exit(0);  // the library's threads go on
    }
}
