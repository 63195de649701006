import { randomUUID } from 'node:crypto'
import type pg from 'pg'
import { z } from 'zod'
import { event } from '../../../src/core/event.ts'
import { eventRegistry } from '../../../src/core/event-registry.ts'
import type { Connection } from '../../../src/db/queryable.ts'
import { settleAll } from '../../../src/db/settle-all.ts'
import { eventStore } from '../../../src/store/event-store.ts'
import { names } from '../fixtures.ts'
import { type MadeCall, makeCall, type Process } from './make-call.ts'
import type { Again, PlannedAppend, PlannedCall, Schedule, Step } from './schedule.ts'
import { eventName, type ModelCall, type Outcome } from './store-model.ts'

/** What came of a schedule. */
export interface History {
  /** What the streams, keys and tags of this run begin with. */
  readonly prefix: string
  readonly units: readonly Unit[]
  readonly looks: readonly Look[]
}

/** Ticks of one clock: what ended before another began was over by then. */
interface Span {
  readonly began: number
  readonly ended: number
}

/** One transaction, of the caller's or of the store's making. */
export interface Unit extends Span {
  readonly name: string
  readonly end: 'commit' | 'rollback' | 'deadlock'
  readonly tries: readonly Tried[]
  /** Drawn where insert ids are, when the caller's transaction held all the locks that it took. */
  readonly place: bigint | undefined
}

export interface Tried {
  readonly name: string
  readonly call: ModelCall
  readonly outcome: Outcome
}

export interface Look extends Span {
  readonly token: string
  /** Names of all events that were there, but for those of the transaction that looked. */
  readonly seen: ReadonlySet<string>
}

/** Carries out a schedule, each writer beside the others, in two processes' worth of stores. */
export async function perform(
  pools: readonly [pg.Pool, pg.Pool],
  prefix: string,
  schedule: Schedule,
): Promise<History> {
  const run = new Run(prefix, pools)
  await run.look(pools[0])
  await settleAll(schedule.map((steps, index) => run.follow(index, steps)))
  await run.close()
  return { prefix, units: run.units, looks: run.looks }
}

class Run {
  readonly units: Unit[] = []
  readonly looks: Look[] = []
  readonly #prefix: string
  readonly #types: readonly string[]
  readonly #processes: readonly (Process & { readonly close: () => Promise<void> })[]
  readonly #calls: MadeCall[] = []
  readonly #shared: Look[] = []
  readonly #known = new Map<string, bigint>()
  #ticks = 0
  #numbers = 0

  constructor(prefix: string, pools: readonly pg.Pool[]) {
    this.#prefix = prefix
    this.#types = [`${prefix}.noted`, `${prefix}.marked`]
    const schema = z.object({ n: z.number() })
    const registry = eventRegistry(this.#types.map((type) => event(type).v(1, schema)))
    this.#processes = pools.map((pool) => {
      const grouped = eventStore({ connection: pool, names, registry })
      const single = eventStore({ connection: pool, names, registry, groupCommit: false })
      return { pool, grouped, single, close: () => grouped.close() }
    })
  }

  /** Carries out the steps of one writer. */
  async follow(writer: number, steps: readonly Step[]): Promise<void> {
    const process = this.#processes[writer % this.#processes.length] as Process
    for (const step of steps) {
      if (step.kind === 'look') await this.look(process.pool)
      else if (step.kind === 'transaction') await this.#transaction(process, step)
      else if (step.kind === 'burst') {
        await settleAll(step.calls.map((call) => this.#alone(process, call)))
      } else await this.#alone(process, step)
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#processes.map((process) => process.close()))
  }

  /** Reads the whole run, as of one moment, for the conditions of all. */
  async look(connection: Connection): Promise<void> {
    this.#shared.push(await this.#lookFrom(connection))
  }

  /** @param unit the transaction that looks, if it is the caller's. */
  async #lookFrom(connection: Connection, unit?: string): Promise<Look> {
    const began = this.#tick()
    const [process] = this.#processes
    if (process === undefined) throw new Error('a run has processes')
    const query = { types: this.#types }
    const { events, token } = await process.single.readQuery(query, { tx: connection })
    const seen = events
      .map(({ metadata, ...e }) => ({ ...e, attempt: metadata.attempt as string }))
      .filter(({ attempt }) => unit === undefined || !attempt.startsWith(`${unit}.`))
      .map(({ attempt, streamId, version }) => eventName(attempt, streamId, version))
    const look = { began, ended: this.#tick(), token, seen: new Set(seen) }
    this.looks.push(look)
    return look
  }

  async #alone(process: Process, step: PlannedCall | Again): Promise<void> {
    const unit = this.#newUnit()
    const tried = await this.#try(process, step, `${unit.name}.0`)
    if (tried === 'deadlock') unit.end(tried, [])
    else if (tried !== undefined) unit.end('commit', [tried])
  }

  async #transaction(
    process: Process,
    { steps, end }: Extract<Step, { kind: 'transaction' }>,
  ): Promise<void> {
    const unit = this.#newUnit()
    const client = await process.pool.connect()
    let isOpen = true
    try {
      await client.query('begin')
      const tries = await this.#within(process, client, unit.name, steps)
      const place = tries && (await drawPlace(client))
      await client.query(tries ? end : 'rollback')
      isOpen = false
      unit.end(tries ? end : 'deadlock', tries ?? [], place)
    } finally {
      client.release(isOpen)
    }
  }

  /** @returns undefined when the server ended the transaction because of a deadlock. */
  async #within(
    process: Process,
    client: pg.PoolClient,
    unit: string,
    steps: Extract<Step, { kind: 'transaction' }>['steps'],
  ): Promise<readonly Tried[] | undefined> {
    const tries: Tried[] = []
    // Of use within the transaction only: such a token takes in all that the transaction writes.
    const looks: Look[] = []
    for (const [index, step] of steps.entries()) {
      if (step.kind === 'look') {
        looks.push(await this.#lookFrom(client, unit))
        continue
      }
      const tried = await this.#try(process, step, `${unit}.${index}`, { client, looks })
      if (tried === 'deadlock') return undefined
      if (tried !== undefined) tries.push(tried)
    }
    return tries
  }

  #newUnit() {
    const began = this.#tick()
    const name = `u${began}`
    return {
      name,
      end: (end: Unit['end'], tries: readonly Tried[], place?: bigint) => {
        this.units.push({ name, began, ended: this.#tick(), end, tries, place })
        if (end !== 'commit') return
        for (const { call, outcome } of tries) this.#learn(call, outcome)
      },
    }
  }

  /** @returns undefined when there is nothing to be tried again. */
  async #try(
    process: Process,
    step: PlannedCall | Again,
    name: string,
    tx?: { readonly client: pg.PoolClient; readonly looks: readonly Look[] },
  ): Promise<Tried | 'deadlock' | undefined> {
    const looks = [...this.#shared, ...(tx?.looks ?? [])]
    const call = step.kind === 'call' ? this.#make(step, looks) : this.#calls.at(-1 - step.back)
    if (call === undefined) return undefined
    // A call that only this transaction can make is nobody else's to retry.
    if (step.kind === 'call' && !tx?.looks.some(({ token }) => token === call.after)) {
      this.#calls.push(call)
    }
    const outcome = await makeCall(process, call, { way: step.way, name, tx: tx?.client })
    return outcome === 'deadlock' ? outcome : { name, call, outcome }
  }

  #make({ appends, key, condition, hasIds }: PlannedCall, looks: readonly Look[]): MadeCall {
    const tag = (number: number) => `${this.#prefix}:${number}`
    const type = (number: number) => this.#types[number] ?? ''
    const look = looks.at(-1 - (condition?.back ?? 0)) ?? looks[0]
    const isBlind = condition?.back === null
    return {
      appends: appends.map(({ stream, events, expect }) => ({
        streamId: this.#streamId(stream),
        expect: expect === 'known' ? (this.#known.get(this.#streamId(stream)) ?? 0n) : expect,
        events: events.map((planned) => {
          this.#numbers += 1
          return {
            id: hasIds ? randomUUID() : undefined,
            type: type(planned.type),
            n: this.#numbers,
            tags: planned.tags.map(tag),
          }
        }),
      })),
      key: key === null ? undefined : `${this.#prefix} ${key}`,
      condition:
        condition === null
          ? undefined
          : {
              query: condition.items.map((item) => ({
                ...(item.tags.length > 0 && { tags: item.tags.map(tag) }),
                ...(item.types.length > 0 && { types: item.types.map(type) }),
              })),
              seen: isBlind ? null : (look?.seen ?? null),
            },
      after: isBlind ? undefined : look?.token,
    }
  }

  #streamId(stream: PlannedAppend['stream']): string {
    return `${this.#prefix}-${stream}`
  }

  #learn({ appends }: ModelCall, outcome: Outcome): void {
    if (!('versions' in outcome)) return
    for (const [index, { streamId }] of appends.entries()) {
      const version = outcome.versions[index] ?? 0n
      if (version > (this.#known.get(streamId) ?? 0n)) this.#known.set(streamId, version)
    }
  }

  #tick(): number {
    this.#ticks += 1
    return this.#ticks
  }
}

async function drawPlace(client: pg.PoolClient): Promise<bigint> {
  const { rows } = await client.query(`select nextval('tidemark.events_insert_id_seq') as place`)
  return BigInt(rows[0].place)
}
