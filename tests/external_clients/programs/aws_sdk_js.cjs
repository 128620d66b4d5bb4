// The AWS SDK for JavaScript v3 on one stream, from its creation to its deletion; prints what it saw as JSON.
//
//     node aws_sdk_js.cjs STREAM http1|http2
const {
  CreateStreamCommand, DeleteStreamCommand, DescribeStreamSummaryCommand, GetRecordsCommand, GetShardIteratorCommand,
  KinesisClient, ListShardsCommand, PutRecordsCommand, ResourceNotFoundException, SplitShardCommand,
  waitUntilStreamExists, waitUntilStreamNotExists,
} = require('@aws-sdk/client-kinesis');
const { NodeHttpHandler } = require('@smithy/node-http-handler');

const [StreamName, protocol] = process.argv.slice(2);

async function shardsOf(client) {
  return (await client.send(new ListShardsCommand({ StreamName }))).Shards;
}

async function read(client, { ShardId }) {
  const place = { StreamName, ShardId, ShardIteratorType: 'TRIM_HORIZON' };
  const { ShardIterator } = await client.send(new GetShardIteratorCommand(place));
  return client.send(new GetRecordsCommand({ ShardIterator }));
}

async function main() {
  // Its own choice for this service is HTTP/2.
  const client = new KinesisClient(protocol === 'http1' ? { requestHandler: new NodeHttpHandler() } : {});
  const types = new Set();
  client.middlewareStack.add((next) => (call) => {
    types.add(call.request.headers['content-type']);
    return next(call);
  }, { step: 'finalizeRequest' });
  const waiter = { client, maxWaitTime: 20, minDelay: 0.1, maxDelay: 0.5 };

  await client.send(new CreateStreamCommand({ StreamName, ShardCount: 1 }));
  await waitUntilStreamExists(waiter, { StreamName });
  const [parent] = await shardsOf(client);
  const every = Array.from({ length: 256 }, (_, octet) => octet);
  const Records = [Uint8Array.from(every), new TextEncoder().encode('é')].map((Data) => ({ Data, PartitionKey: 'clé' }));
  const put = await client.send(new PutRecordsCommand({ StreamName, Records }));
  await client.send(new SplitShardCommand({
    StreamName, ShardToSplit: parent.ShardId, NewStartingHashKey: (2n ** 127n).toString(),
  }));
  await waitUntilStreamExists(waiter, { StreamName });
  const shards = await shardsOf(client);
  const page = await read(client, shards[0]);
  const age = Date.now() - page.Records[0].ApproximateArrivalTimestamp.getTime();
  const nobody = await client.send(new DescribeStreamSummaryCommand({ StreamName: 'nobody' })).catch((error) => error);
  await client.send(new DeleteStreamCommand({ StreamName }));
  await waitUntilStreamNotExists(waiter, { StreamName });

  process.stdout.write(JSON.stringify({
    failed: put.FailedRecordCount,
    types: [...types],
    shards: shards.map(({ ShardId, ParentShardId }) => [ShardId, ParentShardId ?? null]),
    records: page.Records.map(({ Data, PartitionKey }) => [Buffer.from(Data).toString('hex'), PartitionKey]),
    sequenceNumbers: [put.Records, page.Records].map((records) => records.map((record) => record.SequenceNumber)),
    arrivedInThisMinute: Math.abs(age) < 60_000,
    children: page.ChildShards.map(({ ShardId }) => ShardId),
    ended: page.NextShardIterator === undefined,
    error: [nobody instanceof ResourceNotFoundException, nobody.message, nobody.$metadata.httpStatusCode],
  }));
  client.destroy();
}

main();
