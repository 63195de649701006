import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { promisify } from 'node:util'
import { until } from '../../../support/until.ts'

/** Kafka's protocol, spoken by librdkafka's mock cluster inside a process of `kcat`. It keeps all in memory. */
export interface KafkaCluster extends AsyncDisposable {
  /** Ports of its brokers on 127.0.0.1. */
  readonly ports: readonly number[]
}

/** Says why there is no kcat, or nothing. */
export async function cannotRunKcat(): Promise<string | undefined> {
  try {
    await promisify(execFile)('kcat', ['-V'])
    return undefined
  } catch (error) {
    return `kcat: ${(error as NodeJS.ErrnoException).code}`
  }
}

/**
 * Starts a cluster of one broker.
 *
 * kcat 1.7.1 has no option for it, but passes this property of librdkafka on: while it waits for something
 * to produce, its own cluster answers to everybody.
 * https://github.com/confluentinc/librdkafka/blob/v2.0.2/CONFIGURATION.md, `test.mock.num.brokers`.
 */
export async function startKafkaCluster(): Promise<KafkaCluster> {
  const kcat = spawn(
    'kcat',
    ['-P', '-b', 'mock', '-t', 'unused', '-X', 'test.mock.num.brokers=1', '-d', 'mock'],
    { stdio: ['pipe', 'ignore', 'pipe'] },
  )
  let said = ''
  kcat.stderr.on('data', (chunk: Buffer) => {
    if (said.length < 10_000) said += chunk
  })
  const ports = await until('the brokers of the cluster', (saw) => {
    saw(said)
    const servers = /bootstrap\.servers=(\S+)/.exec(said)?.[1]
    return servers?.split(',').map((server) => Number(server.split(':')[1]))
  })
  return { ports, [Symbol.asyncDispose]: () => stop(kcat) }
}

async function stop(kcat: ChildProcess): Promise<void> {
  if (kcat.exitCode !== null) return
  kcat.kill('SIGKILL')
  await once(kcat, 'exit')
}
