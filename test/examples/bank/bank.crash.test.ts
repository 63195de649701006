import { afterEach, expect, test } from 'vitest'
import { until } from '../../support/until.ts'
import { listLeftovers, runExample, startExample } from '../run-example.ts'

afterEach(async () => {
  expect(await listLeftovers('bank')).toEqual([])
})

test('keeps its books while workers are killed', async () => {
  const { code, output } = await runExample('bank', ['--seed', '1', '--seconds', '6'])
  expect(output).toContain('every invariant holds')
  expect(code).toBe(0)
})

const short = ['--seed', '2', '--seconds', '3', '--clients', '20', '--workers', '2']

test('is found out when what was debited is not returned', async () => {
  const { code, output } = await runExample('bank', [...short, '--break', 'no-compensation'])
  expect(output).toContain('BROKEN a transfer is done on both sides or on neither')
  expect(output).toContain('BROKEN the sum of all balances is deposits less withdrawals')
  expect(code).toBe(1)
})

test('is found out when transfers are credited twice', async () => {
  const { code, output } = await runExample('bank', [...short, '--break', 'credit-twice'])
  expect(output).toContain('BROKEN a transfer is done on both sides or on neither')
  expect(output).toContain('BROKEN the sum of all balances is deposits less withdrawals')
  expect(code).toBe(1)
})

test('is found out when a deposit is changed past the triggers', async () => {
  const { code, output } = await runExample('bank', [...short, '--break', 'tamper'])
  expect(output).toContain('BROKEN verify: every event is as it was sealed')
  expect(code).toBe(1)
})

test('leaves nothing behind when it is interrupted', async () => {
  const example = startExample('bank', ['--seed', '3', '--seconds', '60'])
  await until(
    'the example to have its database',
    async () => (await listLeftovers('bank')).length > 1,
  )
  example.kill('SIGINT')
  const { code, output } = await example.ended
  expect(output).toContain('interrupted')
  expect(code).toBe(130)
})
