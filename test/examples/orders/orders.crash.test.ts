import { afterEach, expect, test } from 'vitest'
import { isAvailable } from '../../outbox/relays/brokers/available-brokers.ts'
import { rabbitmqKind, rabbitmqUrl } from '../../outbox/relays/brokers/rabbitmq-broker.ts'
import { until } from '../../support/until.ts'
import { listLeftovers, runExample, startExample } from '../run-example.ts'

afterEach(async () => {
  expect(await listLeftovers('orders')).toEqual([])
})

test('ends every order well while workers are killed', async () => {
  const { code, output } = await runExample('orders', ['--seed', '1', '--seconds', '3'])
  expect(output).toContain('messages received by webhook')
  expect(output).toContain('every invariant holds')
  expect(code).toBe(0)
})

test.skipIf(!(await isAvailable(rabbitmqKind)))('tells other systems by RabbitMQ', async () => {
  const args = ['--seed', '2', '--seconds', '3']
  const { code, output } = await runExample('orders', args, { AMQP_URL: rabbitmqUrl })
  expect(output).toContain('messages received by rabbitmq')
  expect(output).toContain('every invariant holds')
  expect(code).toBe(0)
})

const short = ['--seed', '3', '--seconds', '3', '--workers', '2']

test('is found out when what was done is not undone', async () => {
  const { code, output } = await runExample('orders', [...short, '--break', 'no-compensation'])
  expect(output).toContain('BROKEN an order is shipped and paid, or cancelled and all undone')
  expect(output).toContain('BROKEN a charge of a cancelled order is refunded once')
  expect(code).toBe(1)
})

test('is found out when cards are charged twice', async () => {
  const { code, output } = await runExample('orders', [...short, '--break', 'charge-twice'])
  expect(output).toContain('BROKEN no charge without an order, none twice')
  expect(code).toBe(1)
})

test('is found out when messages are confirmed that nobody has', async () => {
  const { code, output } = await runExample('orders', [...short, '--break', 'lose-messages'])
  expect(output).toContain('BROKEN each integration event is published, in order')
  expect(code).toBe(1)
})

test('leaves nothing behind when it is interrupted', async () => {
  const example = startExample('orders', ['--seed', '4', '--seconds', '60'])
  const hasBegun = async () => (await listLeftovers('orders')).length > 1
  await until('the example to have its database and slot', hasBegun)
  example.kill('SIGINT')
  const { code, output } = await example.ended
  expect(output).toContain('interrupted')
  expect(code).toBe(130)
})
