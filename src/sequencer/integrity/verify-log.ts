import type pg from 'pg'
import { TidemarkError } from '../../core/tidemark-error.ts'
import type { LogNames } from '../../db/log-names.ts'
import { ask } from './ask.ts'
import { checkCheckpoint } from './check-checkpoint.ts'
import { explainLedger } from './explain-ledger.ts'
import { explainExtent } from './explain-seal.ts'
import { explainUncovered } from './explain-uncovered.ts'
import { type Finding, sortFindings } from './finding.ts'
import { defaultGraceMs, giveGrace, type TakenSnapshot, takeSnapshot } from './give-grace.ts'
import { readLedgerFaults } from './read-ledger-faults.ts'
import { readSealedExtent, type SealedExtent } from './read-seals.ts'
import { readUncovered, withoutNestedLoops } from './read-uncovered.ts'
import { type Key, requireSigned } from './signed-checkpoint.ts'
import { verifySeals } from './verify-seals.ts'

export interface VerifyOptions {
  /** First position to check; the check begins with the run that has it. Default 1. */
  readonly from?: bigint
  /** Last position to check; the check ends with the run that has it. Default: all there is. */
  readonly to?: bigint
  /** A signed checkpoint to hold the log against, with the key that it was signed with. */
  readonly checkpoint?: { readonly signed: unknown; readonly publicKey: Key }
  /** Time for a sequencer to come to an event before its lack of a position is told. Default 5,000. */
  readonly graceMs?: number
  /** Findings after which the check ends early. Default 100. */
  readonly maxFindings?: number
  readonly onProgress?: (progress: VerifyProgress) => void
  /** Stops after the run at hand. */
  readonly signal?: AbortSignal
}

/** How far a check has come. */
export interface VerifyProgress {
  /** Everything up to here has been held against its seals. */
  readonly position: bigint
  /** Where the check ends. */
  readonly head: bigint
  readonly eventsPerSecond: number
  /** Null until it can be estimated. */
  readonly remainingMs: number | null
  readonly findings: number
}

export interface VerifyResult {
  /** Identity of the log: the hash with which its chain begins, in hexadecimal. */
  readonly log: string | null
  /** First and last position that were held against a seal; equal to 0 when there were none. */
  readonly from: bigint
  readonly to: bigint
  /** The chain's hash at `to` as its seal has it, in hexadecimal. */
  readonly hash: string | null
  /** Last position in the ledger. Those after the last seal are only checked to be there. */
  readonly head: bigint
  /** Whether everything that was asked for was checked; false when `maxFindings` ended it. */
  readonly isComplete: boolean
  /** In the order of the log: the first is the first that is wrong. Empty when all is sound. */
  readonly findings: readonly Finding[]
}

interface Verification {
  readonly pool: pg.Pool
  readonly names: LogNames
  readonly extent: SealedExtent
  readonly seenBy: TakenSnapshot
  readonly options: VerifyOptions
}

const defaults = { maxFindings: 100 }

/** Transactions without a row in the ledger that are named at most. */
const maxUncovered = 20

/** Commits of the tail that are looked at by one statement. */
const tailPositions = 10_000n

/**
 * Holds the log against its hash chain, and against a signed checkpoint if one is given: finds every
 * event that was changed, added, removed or moved since it was sealed, and every change of the
 * ledger and of the seals. Appends, sequencing and sealing go on meanwhile and give no false alarm:
 * all that is read never changes, and each statement is short.
 *
 * Events after the last seal, the last few seconds, are only held against the ledger. What nobody
 * can find without a checkpoint that was kept elsewhere: a log and chain written wholly anew.
 *
 * @throws OPERATION_CANCELLED with the position to go on `from`; CHECKPOINT_INVALID, OPTION_INVALID
 */
export async function verifyLog(
  pool: pg.Pool,
  names: LogNames,
  options: VerifyOptions = {},
): Promise<VerifyResult> {
  const signed =
    options.checkpoint && requireSigned(options.checkpoint.publicKey, options.checkpoint.signed)
  requireRange(options)
  const seenBy = await takeSnapshot(pool)
  const extent = await ask(pool, (client) => readSealedExtent(client, names))
  const verification = { pool, names, extent, seenBy, options }
  const chain = await verifyChain(verification)
  const findings = [
    ...explainExtent(extent),
    ...chain.findings,
    ...(options.to === undefined ? await verifyRest(verification) : []),
    ...(signed === undefined ? [] : await checkCheckpoint(pool, names, extent, signed)),
  ]
  return {
    log: extent.identity?.toString('hex') ?? null,
    from: chain.from,
    to: chain.to,
    hash: chain.hash,
    head: extent.head,
    isComplete: chain.isComplete,
    findings: sortFindings(findings),
  }
}

interface ChainResult extends Pick<VerifyResult, 'from' | 'to' | 'hash' | 'isComplete'> {
  readonly findings: readonly Finding[]
}

async function verifyChain(verification: Verification): Promise<ChainResult> {
  const { pool, names, extent, options } = verification
  const { from = 1n, maxFindings = defaults.maxFindings, onProgress, signal } = options
  const began = performance.now()
  const end = lesser(options.to, extent.last?.position ?? 0n)
  const findings: Finding[] = []
  const checked = { from: 0n, to: 0n, hash: null as string | null }
  // Sealing goes on: what is sealed meanwhile is left to the next check.
  if (end < from) return { ...checked, findings, isComplete: true }
  for await (const verdict of verifySeals(pool, names, from)) {
    const { seal } = verdict
    findings.push(...verdict.findings)
    if (checked.from === 0n) checked.from = seal.position - BigInt(seal.eventCount) + 1n
    checked.to = seal.position
    checked.hash = seal.hash.toString('hex')
    const pace = paceOf(checked, end, performance.now() - began)
    onProgress?.({ position: seal.position, head: end, ...pace, findings: findings.length })
    if (seal.position >= end) break
    if (findings.length >= maxFindings) return { ...checked, findings, isComplete: false }
    if (signal?.aborted === true) throw cancelled(seal.position, end, findings)
  }
  return { ...checked, findings, isComplete: true }
}

function paceOf(
  checked: Pick<VerifyResult, 'from' | 'to'>,
  end: bigint,
  elapsedMs: number,
): Pick<VerifyProgress, 'eventsPerSecond' | 'remainingMs'> {
  const done = Number(checked.to - checked.from) + 1
  const eventsPerSecond = elapsedMs === 0 ? 0 : (done / elapsedMs) * 1_000
  const left = Math.max(Number(end - checked.to), 0)
  return {
    eventsPerSecond,
    remainingMs: eventsPerSecond === 0 ? null : (left / eventsPerSecond) * 1_000,
  }
}

/** Checks what no seal covers yet, and what has no position at all. */
async function verifyRest({
  pool,
  names,
  extent,
  seenBy,
  options,
}: Verification): Promise<Finding[]> {
  const findings: Finding[] = []
  const sealed = extent.last?.position ?? 0n
  for (let after = sealed; after < extent.head; ) {
    const upto = lesser(after + tailPositions, extent.head)
    const range = { after, upto }
    const check = await ask(pool, (client) => readLedgerFaults(client, names, range))
    findings.push(...explainLedger(check, upto))
    after = check.reached > upto ? check.reached : upto
  }
  const { graceMs = defaultGraceMs, signal = new AbortController().signal } = options
  await giveGrace(pool, names, seenBy, graceMs, signal)
  const uncovered = await ask(pool, async (client) => {
    await client.query(withoutNestedLoops)
    return readUncovered(client, names, seenBy.snapshot, maxUncovered)
  })
  return [...findings, ...uncovered.map((commit) => explainUncovered(commit, 'warning'))]
}

function requireRange({ from = 1n, to }: VerifyOptions): void {
  if (from >= 1n && (to === undefined || to >= from)) return
  const reason = 'expected positions from 1, the first not after the last'
  throw new TidemarkError('OPTION_INVALID', `there is nothing to verify: ${reason}`, {
    details: { option: 'from', reason },
  })
}

function cancelled(position: bigint, end: bigint, findings: readonly Finding[]): TidemarkError {
  const operation = 'verify'
  const found = findings.length === 0 ? 'nothing wrong' : `${findings.length} findings`
  return new TidemarkError(
    'OPERATION_CANCELLED',
    `verify was stopped at position ${position} of ${end} with ${found}: ` +
      `go on with --from ${position + 1n}`,
    { details: { operation } },
  )
}

function lesser(a: bigint | undefined, b: bigint): bigint {
  return a === undefined || b < a ? b : a
}
