import type pg from 'pg'
import type { LogNames } from '../../db/log-names.ts'
import { ask } from './ask.ts'
import { checkRun, type RunCheck } from './check-run.ts'
import { explainLedger } from './explain-ledger.ts'
import { explainEvents, explainLink, explainRun, startOf } from './explain-seal.ts'
import { type Finding, finding, findWhoChangedIt } from './finding.ts'
import { type HashedEvent, readHashes } from './read-hashes.ts'
import { readLedgerFaults } from './read-ledger-faults.ts'
import { readSealBefore, readSeals, type Seal } from './read-seals.ts'

/** What became of one seal. */
export interface SealVerdict {
  readonly seal: Seal
  readonly findings: readonly Finding[]
}

/** Events that are hashed by one statement: 10,000 hashes are 2 MB of answer. */
const batchSize = 10_000

/**
 * Holds events against their seals, in the order of the log: first the seal that covers `from`. Each
 * is checked from the hash that it says was before it, so that one fault does not hide the next.
 */
export async function* verifySeals(
  pool: pg.Pool,
  names: LogNames,
  from: bigint,
): AsyncGenerator<SealVerdict> {
  let previous = await ask(pool, (client) => readSealBefore(client, names, from))
  let lastEvent: HashedEvent | undefined
  // Commits that were told of: one may reach over several runs.
  const explained = new Set<bigint>()
  for (;;) {
    const next: bigint = previous === undefined ? from : previous.position + 1n
    const seals = await ask(pool, (client) => readSeals(client, names, next))
    if (seals.length === 0) return
    for (const batch of toBatches(seals)) {
      const events = await readBatch(pool, names, batch, lastEvent)
      lastEvent = events.at(-1)
      for (const seal of batch) {
        const check = checkRun(seal, eventsOf(seal, events))
        yield { seal, findings: await judge({ pool, names, previous, seal, check, explained }) }
        previous = seal
      }
    }
  }
}

/** Puts seals together that follow each other, so that small ones do not cost a statement each. */
export function toBatches(seals: readonly Seal[]): Seal[][] {
  const batches: Seal[][] = []
  for (const seal of seals) {
    const batch = batches.at(-1)
    const [first, last] = [batch?.[0], batch?.at(-1)]
    const fits =
      first !== undefined &&
      last?.position === startOf(seal) &&
      seal.position - startOf(first) <= batchSize
    if (fits) batch?.push(seal)
    else batches.push([seal])
  }
  return batches
}

async function readBatch(
  pool: pg.Pool,
  names: LogNames,
  batch: readonly Seal[],
  lastEvent: HashedEvent | undefined,
): Promise<readonly HashedEvent[]> {
  const [first, last] = [batch[0] as Seal, batch.at(-1) as Seal]
  const after = startOf(first)
  const afterInsertId = lastEvent?.position === after ? lastEvent.insertId : null
  return ask(pool, (client) =>
    readHashes(client, names, { after, upto: last.position, afterInsertId }),
  )
}

/** An event too many has a position beyond its commit's: it counts where the commit ends. */
function eventsOf(seal: Seal, events: readonly HashedEvent[]): readonly HashedEvent[] {
  return events.filter(({ position, commitEnd }) => {
    const place = position > commitEnd ? commitEnd : position
    return place > startOf(seal) && place <= seal.position
  })
}

interface Case {
  readonly pool: pg.Pool
  readonly names: LogNames
  readonly previous: Seal | undefined
  readonly seal: Seal
  readonly check: RunCheck
  readonly explained: Set<bigint>
}

async function judge(one: Case): Promise<Finding[]> {
  const { previous, seal, check } = one
  const link = explainLink(previous, seal)
  if (check.outcome === 'positions-differ') return [...link, ...(await explainPositions(one))]
  // Without its place in the chain a seal says nothing about single events.
  if (link.length > 0 && check.outcome === 'hash-differs') {
    return [...link, ...explainRun(seal, { ...check, differing: [] })]
  }
  return [...link, ...explainRun(seal, check)]
}

async function explainPositions(one: Case): Promise<Finding[]> {
  const { pool, names, seal, explained } = one
  const { differing } = one.check
  const ledger = await ask(pool, (client) =>
    readLedgerFaults(client, names, { after: startOf(seal), upto: seal.position }),
  )
  const faulty = new Set(ledger.faults.map((commit) => commit.position))
  const faults = ledger.faults.filter((commit) => !explained.has(commit.position))
  for (const commit of faults) explained.add(commit.position)
  const findings = [
    ...explainLedger({ ...ledger, faults }, seal.position, differing),
    ...explainEvents(differing.filter((event) => !faulty.has(event.commitEnd))),
  ]
  return findings.length > 0 || faulty.size > 0 ? findings : [unexplained(seal)]
}

function unexplained(seal: Seal): Finding {
  return finding({
    kind: 'seal-changed',
    position: seal.position,
    message: `the seal at position ${seal.position} covers other positions than the ledger`,
    remedy: findWhoChangedIt,
  })
}
