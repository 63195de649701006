import { expect, test } from 'vitest'
import { statusText } from '../../src/cli/status-text.ts'
import type { LogStatus, SubscriptionStatus } from '../../src/index.ts'

const log: LogStatus = {
  schema: 'tidemark',
  position: 12_345n,
  unsequenced: 0,
  outbox: { position: 0n, unsequenced: 0, kept: 0n },
  isLed: true,
  mode: 'wal',
  pollReason: null,
  walLevel: 'logical',
  slot: { name: 'slot_1', exists: true, isActive: true, retainedBytes: 3_145_728n },
  processes: [],
  subscriptions: [],
  deadJobs: null,
}

const live: SubscriptionStatus = {
  kind: 'projection',
  name: 'orders',
  version: 2,
  position: 12_000n,
  lag: 345n,
  state: 'active',
  error: null,
  troubledSince: null,
  errorCode: null,
  parked: 0,
  shed: 0,
  projectionState: 'live',
  startPosition: 0n,
  partitions: [],
  nextPartitions: null,
  owner: 'host:1:a',
}

const failed: SubscriptionStatus = {
  ...live,
  kind: 'reactor',
  name: 'mailer',
  version: 1,
  state: 'failed',
  error: 'smtp\nis down',
  errorCode: 'HANDLER_FAILED',
  projectionState: null,
  owner: null,
}

test('shows a log that nothing reads', () => {
  expect(statusText(log)).toBe(
    [
      'log "tidemark": position 12,345, mode wal',
      'slot "slot_1": active, keeps 3.0 MiB of WAL',
      'no subscriptions yet',
    ].join('\n'),
  )
})

test('says that nobody leads', () => {
  expect(statusText({ ...log, isLed: false })).toContain(
    '\nno worker leads: run `tidemark worker`\n',
  )
})

test('says why it is ordered by polling', () => {
  const [line] = statusText({ ...log, mode: 'poll', pollReason: 'no slot\nis left' }).split('\n')
  expect(line).toBe('log "tidemark": position 12,345, mode poll (no slot is left)')
})

test.for<[string, Partial<LogStatus>, string]>([
  ['no slot', { slot: null }, 'slot: none yet, the first worker makes it'],
  [
    'a slot that is gone',
    { slot: { name: 's', exists: false, isActive: false, retainedBytes: null } },
    'slot "s": does not exist, the next worker makes another',
  ],
  [
    'a slot that nobody reads',
    { slot: { name: 's', exists: true, isActive: false, retainedBytes: 5n } },
    'slot "s": not active, no worker leads, keeps 5 B of WAL',
  ],
  [
    'a slot that keeps nothing',
    { slot: { name: 's', exists: true, isActive: false, retainedBytes: null } },
    'slot "s": not active, no worker leads',
  ],
])('shows %s', ([, change, line]) => {
  expect(statusText({ ...log, ...change }).split('\n')[1]).toBe(line)
})

test('does not speak of slots where none is used', () => {
  expect(statusText({ ...log, mode: 'poll', slot: null })).not.toContain('slot')
})

test('shows subscriptions in a table, and below it why one has failed', () => {
  expect(
    statusText({ ...log, subscriptions: [live, failed] })
      .split('\n')
      .slice(2),
  ).toEqual([
    '┌────────────┬────────┬─────────┬───────┬──────────┬─────┬────────┬──────────┐',
    '│ kind       │ name   │ version │ stage │ position │ lag │ state  │ owner    │',
    '├────────────┼────────┼─────────┼───────┼──────────┼─────┼────────┼──────────┤',
    '│ projection │ orders │       2 │ live  │   12,000 │ 345 │ active │ host:1:a │',
    '│ reactor    │ mailer │         │       │   12,000 │ 345 │ failed │          │',
    '└────────────┴────────┴─────────┴───────┴──────────┴─────┴────────┴──────────┘',
    'reactor "mailer" failed: smtp is down',
  ])
})

test('does not name a failed subscription twice', () => {
  const error = 'reactor "mailer" failed on event "order.placed" at position 5: smtp is down'
  const text = statusText({ ...log, subscriptions: [{ ...failed, error }] })
  expect(text.split('\n').at(-1)).toBe(error)
})

test('says that events wait for a worker, and how it will order them without logical replication', () => {
  const waiting = statusText({ ...log, unsequenced: 12 })
  expect(waiting).toContain('\nevents without a position yet: 12; a worker gives it to them\n')
  const many = statusText({ ...log, unsequenced: 10_001, walLevel: 'replica' })
  expect(many).toContain('position yet: over 10,000;')
  expect(many).toContain(
    'wal_level is replica: the next worker orders events by polling, unless you run `alter system',
  )
})

test.for<[string, Partial<SubscriptionStatus>, string[]]>([
  ['is followed', {}, []],
  [
    'nobody follows',
    { owner: null },
    ['projection "orders" version 2 is not followed: no running worker has its definition'],
  ],
  ['appends apply', { owner: null, state: 'inline' }, []],
  [
    'is half built',
    { owner: null, projectionState: 'building' },
    [
      'projection "orders" version 2 is built no further now: `tidemark rebuild orders --version 2` goes on',
    ],
  ],
  ['is retired', { owner: null, projectionState: 'retired' }, []],
])('says of a version that %s what it needs', ([, change, lines]) => {
  const text = statusText({ ...log, subscriptions: [{ ...live, ...change }] })
  expect(text.split('└')[1]?.split('\n').slice(1)).toEqual(lines)
})
