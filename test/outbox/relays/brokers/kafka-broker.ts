import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import type { CloudEvent } from '../../../../src/outbox/cloud-event.ts'
import { type KafkaOptions, kafka } from '../../../../src/outbox/relays/kafka.ts'
import { startBrokerProxy } from '../../../support/broker-proxy.ts'
import type { BrokerKind, BrokerUnderTest, OpenOptions } from './broker-under-test.ts'
import { cannotRunKcat, startKafkaCluster } from './kafka-cluster.ts'

const maxMessageBytes = 500_000

/** What kcat says of a message it has read. */
export interface KafkaRecord {
  readonly partition: number
  readonly key: string | null
  readonly headers?: readonly string[]
  readonly payload: string
}

export interface KafkaUnderTest extends BrokerUnderTest {
  readonly options: KafkaOptions
  readonly topic: string
  /** Where clients connect past the proxy. */
  readonly address: string
  records(): Promise<readonly KafkaRecord[]>
}

/** Starts a cluster of its own. */
export async function startKafka(): Promise<KafkaUnderTest> {
  const cluster = await startKafkaCluster()
  const [port = 0] = cluster.ports
  const address = `127.0.0.1:${port}`
  const proxy = await startBrokerProxy({
    port,
    rewrite: (chunk) => movePort(chunk, port, proxy.port),
  })
  const topic = 'events'
  const options = {
    connection: { clientId: 'tidemark-test', bootstrapBrokers: [`127.0.0.1:${proxy.port}`] },
    topic: () => topic,
    maxMessageBytes,
    autocreateTopics: true,
  }
  const records = () => readTopic(address, topic)
  return {
    proxy,
    topic,
    address,
    options,
    records,
    topicPrefix: '',
    maxMessageBytes,
    openPublisher: ({ inFlight, ...rest }: OpenOptions = {}) => {
      const limit = inFlight === undefined ? {} : { batchSize: inFlight }
      return kafka({ ...options, ...limit, ...rest })({ source: '/test' })
    },
    received: async () => (await records()).map(toEvent),
    [Symbol.asyncDispose]: async () => {
      await cluster[Symbol.asyncDispose]()
      await proxy[Symbol.asyncDispose]()
    },
  }
}

/** Has a broker say that it is where the proxy is: it names its own port to clients. */
function movePort(chunk: Buffer, from: number, to: number): Buffer {
  const name = Buffer.from('127.0.0.1')
  for (let at = chunk.indexOf(name); at >= 0; at = chunk.indexOf(name, at + 1)) {
    const port = at + name.length
    if (port + 4 <= chunk.length && chunk.readInt32BE(port) === from) chunk.writeInt32BE(to, port)
  }
  return chunk
}

/** Reads a whole topic, one partition after the other. */
async function readTopic(address: string, topic: string): Promise<readonly KafkaRecord[]> {
  const { stdout } = await promisify(execFile)(
    'kcat',
    ['-C', '-b', address, '-t', topic, '-o', 'beginning', '-e', '-q', '-J'],
    { maxBuffer: 1024 * 1024 * 1024 },
  )
  const lines = stdout.split('\n').filter((line) => line !== '')
  return lines.map((line) => JSON.parse(line))
}

/** Reads a topic from its beginning and waits for what comes, until the caller has enough. */
export async function* followTopic(address: string, topic: string): AsyncGenerator<KafkaRecord> {
  const kcat = spawn(
    'kcat',
    ['-C', '-b', address, '-t', topic, '-o', 'beginning', '-q', '-u', '-J'],
    { stdio: ['ignore', 'pipe', 'ignore'] },
  )
  const exit = once(kcat, 'exit')
  try {
    for await (const line of createInterface(kcat.stdout)) yield JSON.parse(line)
  } finally {
    kcat.kill('SIGKILL')
    await exit
  }
}

function toEvent({ headers = [], payload }: KafkaRecord): CloudEvent {
  const body = JSON.parse(payload)
  const attributes = headers.flatMap((name, index) =>
    index % 2 === 0 && name.startsWith('ce_')
      ? [[name.slice('ce_'.length), headers[index + 1]] as const]
      : [],
  )
  if (attributes.length === 0) return body
  return Object.fromEntries([
    ...attributes,
    ['datacontenttype', 'application/json'],
    ['data', body],
  ]) as unknown as CloudEvent
}

export const kafkaKind: BrokerKind = {
  name: 'Kafka',
  manyMessages: 10_000,
  unavailable: cannotRunKcat,
  start: startKafka,
}
