import { expect, expectTypeOf, test } from 'vitest'
import { settleAll } from '../../src/db/settle-all.ts'

test('the values come in the order of the list, each with its type', async () => {
  const values = await settleAll([Promise.resolve(1), 'two', undefined])
  expect(values).toEqual([1, 'two', undefined])
  expectTypeOf(values).toEqualTypeOf<[number, 'two', undefined]>()
})

test('the first error of the list is thrown, not the first in time', async () => {
  const late = Promise.withResolvers<void>()
  const failed = settleAll([late.promise, Promise.reject(new Error('second'))])
  late.reject(new Error('first'))
  await expect(failed).rejects.toThrow('first')
})

test('an error waits until everything has ended', async () => {
  const slow = Promise.withResolvers<void>()
  let ended = false
  const failed = settleAll([Promise.reject(new Error('no')), slow.promise]).finally(() => {
    ended = true
  })
  failed.catch(() => {})
  await new Promise((resolve) => setImmediate(resolve))
  expect(ended).toBe(false)
  slow.resolve()
  await expect(failed).rejects.toThrow('no')
})

test('of errors of one transaction the one that says why it failed is thrown', async () => {
  const aborted = Object.assign(new Error('the transaction is aborted'), { code: '25P02' })
  const wrapped = new Error('the handler failed', { cause: aborted })
  const why = new Error('division by zero')
  await expect(settleAll([Promise.reject(aborted), Promise.reject(why)])).rejects.toBe(why)
  await expect(settleAll([Promise.reject(wrapped), Promise.reject(why)])).rejects.toBe(why)
  await expect(settleAll([Promise.reject(aborted), 1])).rejects.toBe(aborted)
})
