// Relays to RabbitMQ in a process that dies at a failpoint, for tests.
import { onFailpoint } from '../../src/core/failpoint.ts'
import { relay, runWorker } from '../../src/index.ts'
import { rabbitmq } from '../../src/outbox/relays/rabbitmq.ts'

const { DATABASE_URL: connectionString = '', BROKER_URL: url = '', DIE_AT } = process.env
const { EXCHANGE: exchange = '', RELAY: name = '' } = process.env
let [place, left] = [DIE_AT?.split(' ')[0], Number(DIE_AT?.split(' ')[1] ?? 0)]
onFailpoint((failpoint) => {
  if (failpoint !== place) return
  left -= 1
  if (left <= 0) process.kill(process.pid, 'SIGKILL')
})
const definition = relay(name, {
  topics: ['crash.#'],
  to: rabbitmq({ url, exchange }),
  from: 'start',
  onRefused: 'park',
  maxInFlight: 7,
})
await runWorker(
  { connectionString, relays: [definition], mode: 'poll', pollIntervalMs: 50, seal: false },
  new AbortController().signal,
)
