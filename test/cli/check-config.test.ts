import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { checkConfig } from '../../src/cli/check-config.ts'
import {
  defineConfig,
  event,
  projection,
  reactor,
  table,
  task,
  text,
  uuid,
} from '../../src/index.ts'
import { fulfilment } from '../core/processes/fulfilment.ts'

const Placed = event('order.placed').v(1, z.object({ orderId: z.uuid() }))
const sendMail = task('send-mail', { payload: z.object({}), run: async () => {} })
const mailer = reactor('mailer', { events: [Placed], on: { 'order.placed': () => sendMail({}) } })
const orders = ordersVersion(1)

function ordersVersion(version: number) {
  return projection('orders', {
    version,
    events: [Placed],
    tables: { order_list: table({ order_id: uuid().primaryKey(), status: text() }) },
  }).fold('order_list', {
    key: (placed) => ({ order_id: placed.data.orderId }),
    on: { 'order.placed': () => ({ status: 'open' }) },
  })
}

function reasonOf(exported: unknown): string | undefined {
  const check = checkConfig(exported)
  return 'reason' in check ? check.reason : undefined
}

describe('accepts', () => {
  test.for([
    ['nothing at all', {}],
    ['what the environment does not set', { connectionString: undefined }],
    [
      'all kinds of definitions',
      defineConfig({
        connectionString: 'postgres://localhost/db',
        schema: 'log',
        jobSchema: 'jobs',
        projections: [orders],
        reactors: [mailer],
        tasks: [sendMail],
        worker: { name: 'one', batchSize: 10, maxAttempts: 1, jobConcurrency: 2 },
      }),
    ],
    ['two versions of one projection', { projections: [orders, ordersVersion(2)] }],
    ['a log without jobs', { jobSchema: false, projections: [orders] }],
  ] as const)('%s', ([, config]) => {
    expect(checkConfig(config)).toEqual({ config })
  })

  test('definitions that another copy of the library made', () => {
    const config = { projections: [{ ...orders }], tasks: [{ ...sendMail, task: 'copy' }] }
    expect(checkConfig(config)).toEqual({ config })
  })
})

describe('refuses', () => {
  const aProjection = 'expected a projection, as `projection(…)` makes it'
  test.for<[string, unknown, string]>([
    [
      'an event in the place of a projection',
      { projections: [orders, Placed] },
      `projections[1]: ${aProjection}, received an event definition`,
    ],
    [
      'an export that does not exist',
      { projections: [undefined] },
      `projections[0]: ${aProjection}, received undefined: is it exported under this name?`,
    ],
    [
      'a projection that stands alone',
      { projections: orders },
      'projections: expected array, received object',
    ],
    [
      'a task in the place of a reactor',
      { reactors: [sendMail] },
      'reactors[0]: expected a reactor, as `reactor(…)` makes it, received a task',
    ],
    [
      'a reactor in the place of a task',
      { tasks: [mailer] },
      'tasks[0]: expected a task, as `task(…)` makes it, received a reactor',
    ],
    [
      'a plain function in the place of a task',
      { tasks: [async () => {}] },
      'tasks[0]: expected a task, as `task(…)` makes it, received a function',
    ],
    [
      'an unknown option',
      { projection: [orders] },
      'unknown option "projection"; known: connectionString, schema, jobSchema, projections, ' +
        'reactors, processes, tasks, routes, relays, cron, events, inline, worker',
    ],
    [
      'an unknown option of the worker',
      { worker: { batch: 5 } },
      'worker: unknown option "batch"; known: name, batchSize, maxAttempts, pollIntervalMs, ' +
        'maxConnections, jobConcurrency, jobGraceMs, jobTakeoverMs, keepOnceMs, mode, seal, sealIntervalMs, ' +
        'outboxRetentionMs, outboxTrimIntervalMs',
    ],
    [
      'a number as text',
      { worker: { batchSize: '5' } },
      'worker.batchSize: expected number, received string',
    ],
    [
      'a batch of nothing',
      { worker: { batchSize: 0 } },
      'worker.batchSize: Too small: expected number to be >=1',
    ],
    [
      'an address in pieces',
      { connectionString: { host: 'db' } },
      'connectionString: expected string, received object',
    ],
    ['true as a schema', { jobSchema: true }, 'jobSchema: expected a string or false'],
    ['a function', () => ({}), 'expected object, received function'],
    ['null', null, 'expected object, received null'],
    ['nothing', undefined, 'expected object, received undefined'],
    [
      'one version twice',
      { projections: [orders, ordersVersion(2), ordersVersion(1)] },
      'projections[2]: projection "orders" version 1 stands there already',
    ],
    [
      'two reactors of one name',
      { reactors: [mailer, { ...mailer }] },
      'reactors[1]: reactor "mailer" stands there already',
    ],
    [
      'two processes of one name',
      { processes: [fulfilment, { ...fulfilment }] },
      'processes[1]: process "fulfilment" stands there already',
    ],
    [
      'a process in the place of a reactor',
      { reactors: [fulfilment] },
      'reactors[0]: expected a reactor, as `reactor(…)` makes it, received a process',
    ],
    [
      'two tasks of one name',
      { tasks: [sendMail, sendMail] },
      'tasks[1]: task "send-mail" stands there already',
    ],
    [
      'jobs without a schema for them',
      { jobSchema: false, tasks: [sendMail] },
      'jobSchema: reactors, processes and tasks need the schema of graphile-worker',
    ],
    [
      'several things at once',
      { schema: 5, tasks: [null] },
      'schema: expected string, received number; ' +
        'tasks[0]: expected a task, as `task(…)` makes it, received null',
    ],
  ])('%s', ([, config, reason]) => {
    expect(reasonOf(config)).toBe(reason)
  })
})
