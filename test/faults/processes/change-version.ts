// Rebuilds, promotes, rolls back or drops a version of a projection, and may die in between. A refusal,
// or a server that goes away, is said and no failure.
import { writeSync } from 'node:fs'
import { isTransient } from '../../../src/db/sqlstate.ts'
import { createStore, isTidemarkError } from '../../../src/index.ts'
import { accountsIn } from '../../worker/fixtures/accounts.ts'
import { type FailpointRule, obeyRule } from '../failpoint-rule.ts'

/** Given in the environment, as JSON. */
export interface VersionSettings {
  readonly change: 'rebuild' | 'promote' | 'rollback' | 'drop' | 'remove'
  readonly version: number
  readonly rule: FailpointRule | null
}

const settings = JSON.parse(process.env.TIDEMARK_FAULTS_VERSION ?? '') as VersionSettings
if (settings.rule !== null) obeyRule(settings.rule)
process.stdin.once('end', () => process.exit(1)).resume()

try {
  await carryOut(settings)
  tell('done')
} catch (error) {
  if (!isTidemarkError(error) && !isTransient(error)) throw error
  tell('refused')
}
process.stdin.destroy()

async function carryOut({ change, version }: VersionSettings): Promise<void> {
  await using store = await createStore({ connectionString: process.env.DATABASE_URL ?? '' })
  const signal = AbortSignal.timeout(20_000)
  if (change === 'rebuild') await store.rebuild(accountsIn(version), { batchSize: 50, signal })
  if (change === 'promote') await store.promote('accounts', { version })
  if (change === 'rollback') await store.rollback('accounts')
  if (change === 'drop') await store.drop('accounts', version)
  if (change === 'remove') await store.drop('last_entries', 1, { live: true })
}

function tell(line: string): void {
  writeSync(1, `${line}\n`)
}
