import type { BrokerKind } from './broker-under-test.ts'

/** Whether tests that need a broker fail where there is none, instead of being skipped: so it is in CI. */
const areRequired = process.env.TIDEMARK_TEST_BROKERS === 'required'

const answers = new Map<BrokerKind, Promise<boolean>>()

/** Tells whether tests can be run against a broker, and says so in one line when they cannot. */
export function isAvailable(kind: BrokerKind): Promise<boolean> {
  const answer = answers.get(kind) ?? findOut(kind)
  answers.set(kind, answer)
  return answer
}

async function findOut({ name, unavailable }: BrokerKind): Promise<boolean> {
  const reason = await unavailable()
  if (reason === undefined) return true
  if (areRequired) throw new Error(`${name} is required: ${reason}`)
  console.warn(`tests with ${name} are skipped: ${reason}`)
  return false
}
