import type pg from 'pg'
import { isTidemarkError } from '../../core/tidemark-error.ts'
import { slotPrefix } from '../../db/log-names.ts'
import { readPublicationFingerprint, verifyPublication } from '../../db/publication.ts'
import { ask } from '../../sequencer/integrity/ask.ts'
import type { SequencerState } from '../../sequencer/sequencer-state.ts'
import { listSlots, type Slot } from '../../sequencer/slots.ts'
import { type DoctorFinding, type Examination, failure, fine, warning } from './diagnosis.ts'

const replaced = 'run a worker: it makes another and continues the order exactly'
const released =
  'run a worker; or, if none is to run for a while, `tidemark drop-slots`: the next one goes on exactly'

/** Checks the publication, which says what is sent, as the recorded slot was made with it. */
export async function checkPublication(
  { pool, names, facts }: Examination,
  state: SequencerState,
): Promise<DoctorFinding> {
  try {
    const fingerprint = await ask(pool, async (client) => {
      await verifyPublication(client, names, facts.versionNumber)
      return readPublicationFingerprint(client, names)
    })
    if (state.publication === null || state.publication === fingerprint) {
      return fine('publication', `"${names.publication}" publishes what is needed`)
    }
    const reason = `"${names.publication}" was changed since the slot was made`
    return warning('publication', reason, replaced)
  } catch (error) {
    if (!isTidemarkError(error, 'PUBLICATION_INVALID')) throw error
    return failure(
      'publication',
      `"${names.publication}" ${error.details.reason}`,
      `run: drop publication if exists ${names.publication}; then \`tidemark migrate\``,
    )
  }
}

/** Checks the slots of the log: the recorded one, and others that a crash left over. */
export async function checkSlots(
  { pool, names, facts }: Examination,
  state: SequencerState,
  maxRetainedBytes: bigint,
): Promise<DoctorFinding[]> {
  const [slots, retained] = await ask(pool, async (client) => [
    await listSlots(client, slotPrefix(facts, names.schema)),
    await readRetained(client),
  ])
  const others = slots.filter((slot) => slot.name !== state.slotName)
  return [
    judgeRecorded(
      state.slotName,
      slots.find((slot) => slot.name === state.slotName),
    ),
    ...others.map(leftOver),
    ...judgeRetained(slots, retained, maxRetainedBytes),
  ]
}

/** WAL that the server keeps for each slot. It keeps none for one that is lost. */
async function readRetained(client: pg.ClientBase): Promise<ReadonlyMap<string, bigint>> {
  const { rows } = await client.query<{ slot_name: string; bytes: string }>(/* sql */ `
    select slot_name::text, pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)::bigint::text as bytes
    from pg_replication_slots
    where restart_lsn is not null
      and wal_status is distinct from 'lost'`)
  return new Map(rows.map((row) => [row.slot_name, BigInt(row.bytes)]))
}

function judgeRecorded(name: string | null, slot: Slot | undefined): DoctorFinding {
  if (name === null) return fine('slot', 'there is none yet: the first worker makes it')
  if (slot === undefined) return warning('slot', `"${name}" does not exist any more`, replaced)
  if (slot.walStatus === 'lost') {
    return warning('slot', `"${name}" is lost: the server removed WAL that it needs`, replaced)
  }
  if (slot.activePid === null) {
    const reason = `"${name}" is not active: the server keeps WAL that nobody reads`
    return warning('slot', reason, released)
  }
  return fine('slot', `"${name}" is active`)
}

function leftOver({ name }: Slot): DoctorFinding {
  const reason = `"${name}" is not the recorded one: a crash left it over, or a worker makes it now`
  return warning('slot', reason, 'run a worker: the next one that leads drops it')
}

function judgeRetained(
  slots: readonly Slot[],
  retained: ReadonlyMap<string, bigint>,
  maxBytes: bigint,
): DoctorFinding[] {
  const over = slots.filter(({ name }) => (retained.get(name) ?? 0n) > maxBytes)
  if (over.length === 0) {
    return [fine('retained-wal', `no slot of the log keeps more than ${maxBytes} bytes of WAL`)]
  }
  return over.map(({ name }) =>
    warning(
      'retained-wal',
      `"${name}" keeps ${retained.get(name)} bytes of WAL, over ${maxBytes}`,
      `${released}; if one leads, end old transactions`,
    ),
  )
}
