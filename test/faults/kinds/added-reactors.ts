import type pg from 'pg'
import type { Random } from '../../support/random.ts'
import type { LateReactor } from '../definitions/late-reactor.ts'
import type { KnownReactor } from '../oracle/check-jobs.ts'

interface Added extends LateReactor {
  readonly earliest: bigint
  latest: bigint | undefined
}

const most = 3

/** Reactors that are added in a run: which there are, and what is known of where each began. */
export class AddedReactors {
  readonly #added: Added[] = []

  /** Those that workers are to run which start now. */
  get definitions(): readonly LateReactor[] {
    return this.#added.map(({ name, from }) => ({ name, from }))
  }

  /** As subscriptions are called. */
  get names(): readonly string[] {
    return this.#added.map(({ name }) => `reactor ${name} 1`)
  }

  get known(): readonly KnownReactor[] {
    return this.#added.map(({ name, earliest, latest }) => ({ name, earliest, latest }))
  }

  /** Adds one, unless there are enough. @returns its name. */
  async add(random: Random, asks: Pick<pg.ClientBase, 'query'>): Promise<string | undefined> {
    if (this.#added.length === most) return undefined
    const from = random.pick(['now', 'start'] as const)
    const head = await readHead(asks)
    const name = `late-${this.#added.length + 1}`
    const [earliest, latest] = from === 'start' ? [0n, 0n] : [head, undefined]
    this.#added.push({ name, from, earliest, latest })
    return name
  }

  /** Looks whether a worker has begun one, and takes down where the log had come to by then. */
  async hasBegun(name: string, asks: Pick<pg.ClientBase, 'query'>): Promise<boolean> {
    const { rows } = await asks.query<HeadRow>(
      /* sql */ `
      select q.position::text
      from tidemark.sequencer as q
      join tidemark.subscriptions as s on s.kind = 'reactor' and s.name = $1`,
      [name],
    )
    const [head] = rows
    const added = this.#added.find((one) => one.name === name)
    if (head === undefined || added === undefined) return false
    added.latest ??= BigInt(head.position)
    return true
  }
}

interface HeadRow {
  readonly position: string
}

async function readHead(asks: Pick<pg.ClientBase, 'query'>): Promise<bigint> {
  const { rows } = await asks.query<HeadRow>('select position::text from tidemark.sequencer')
  return BigInt(rows[0]?.position ?? 0)
}
