// The AWS SDK for Java 2.x on one stream, from its creation to its deletion; prints what it saw, a fact a line.
//
//     java -cp "jars/*" AwsSdkJava.java STREAM ENDPOINT http1|http2
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.HexFormat;
import java.util.List;
import java.util.concurrent.CompletionException;
import java.util.stream.Collectors;
import software.amazon.awssdk.core.SdkBytes;
import software.amazon.awssdk.core.interceptor.Context;
import software.amazon.awssdk.core.interceptor.ExecutionAttributes;
import software.amazon.awssdk.core.interceptor.ExecutionInterceptor;
import software.amazon.awssdk.http.Protocol;
import software.amazon.awssdk.http.nio.netty.NettyNioAsyncHttpClient;
import software.amazon.awssdk.services.kinesis.KinesisAsyncClient;
import software.amazon.awssdk.services.kinesis.model.GetRecordsResponse;
import software.amazon.awssdk.services.kinesis.model.PutRecordsRequestEntry;
import software.amazon.awssdk.services.kinesis.model.ResourceNotFoundException;
import software.amazon.awssdk.services.kinesis.model.Shard;
import software.amazon.awssdk.services.kinesis.model.ShardIteratorType;

public class AwsSdkJava {
    static String stream;
    static KinesisAsyncClient client;

    static class Types implements ExecutionInterceptor {
        @Override
        public void beforeTransmission(Context.BeforeTransmission context, ExecutionAttributes attributes) {
            types.add(context.httpRequest().firstMatchingHeader("Content-Type").orElse(""));
        }
    }

    static final java.util.Set<String> types = new java.util.TreeSet<>();

    static List<Shard> shards() {
        return client.listShards(r -> r.streamName(stream)).join().shards();
    }

    static GetRecordsResponse read(String shard, ShardIteratorType type, Instant from) {
        String iterator = client.getShardIterator(
            r -> r.streamName(stream).shardId(shard).shardIteratorType(type).timestamp(from)).join().shardIterator();
        return client.getRecords(r -> r.shardIterator(iterator)).join();
    }

    static void say(String name, Object value) {
        System.out.println(name + "=" + value);
    }

    static String records(GetRecordsResponse page) {
        return page.records().stream()
            .map(record -> HexFormat.of().formatHex(record.data().asByteArray()) + "/" + record.partitionKey())
            .collect(Collectors.joining(","));
    }

    public static void main(String[] arguments) {
        stream = arguments[0];
        Instant began = Instant.now().minusSeconds(60);
        NettyNioAsyncHttpClient.Builder http = NettyNioAsyncHttpClient.builder();
        if (arguments[2].equals("http1")) {
            http.protocol(Protocol.HTTP1_1);  // its own choice for this service is HTTP/2
        }
        client = KinesisAsyncClient.builder()
            .endpointOverride(URI.create(arguments[1]))
            .httpClientBuilder(http)
            .overrideConfiguration(c -> c.addExecutionInterceptor(new Types()).apiCallTimeout(Duration.ofSeconds(10)))
            .build();
        client.createStream(r -> r.streamName(stream).shardCount(1)).join();
        client.waiter().waitUntilStreamExists(r -> r.streamName(stream)).join();

        byte[] every = new byte[256];
        for (int octet = 0; octet < every.length; octet++) {
            every[octet] = (byte) octet;
        }
        say("failed", client.putRecords(r -> r.streamName(stream).records(
            PutRecordsRequestEntry.builder().data(SdkBytes.fromByteArray(every)).partitionKey("clé").build(),
            PutRecordsRequestEntry.builder().data(SdkBytes.fromByteArray(new byte[0])).partitionKey("k").build()
        )).join().failedRecordCount());
        String parent = shards().get(0).shardId();
        client.splitShard(r -> r.streamName(stream).shardToSplit(parent)
            .newStartingHashKey(java.math.BigInteger.TWO.pow(127).toString())).join();
        client.waiter().waitUntilStreamExists(r -> r.streamName(stream)).join();
        for (Shard shard : shards()) {
            say(shard.shardId(), shard.parentShardId() + "/" + shard.sequenceNumberRange().endingSequenceNumber());
        }
        GetRecordsResponse page = read(parent, ShardIteratorType.TRIM_HORIZON, null);
        say("records", records(page));
        say("since", records(read(parent, ShardIteratorType.AT_TIMESTAMP, began)));
        say("children", page.childShards().stream().map(c -> c.shardId()).collect(Collectors.joining(",")));
        say("ended", page.nextShardIterator() == null);
        Instant arrival = page.records().get(0).approximateArrivalTimestamp();
        say("arrivedInThisMinute", Duration.between(arrival, Instant.now()).abs().compareTo(Duration.ofMinutes(1)) < 0);
        Instant created = client.describeStreamSummary(r -> r.streamName(stream)).join()
            .streamDescriptionSummary().streamCreationTimestamp();
        say("createdInThisMinute", Duration.between(created, Instant.now()).abs().compareTo(Duration.ofMinutes(1)) < 0);
        try {
            client.describeStreamSummary(r -> r.streamName("nobody")).join();
        } catch (CompletionException error) {
            ResourceNotFoundException refusal = (ResourceNotFoundException) error.getCause();
            say("error", refusal.awsErrorDetails().errorMessage());
        }
        client.deleteStream(r -> r.streamName(stream)).join();
        client.waiter().waitUntilStreamNotExists(r -> r.streamName(stream)).join();
        say("types", types);
        client.close();
    }
}
