import { expect, onTestFinished, test } from 'vitest'
import { createRole } from '../../db/create-role.ts'
import { createTestDatabase } from '../../support/database.ts'
import { Added, byEach, byFold } from '../levels.ts'
import { expectExact, openStore, rowsOf, startWorker } from './fixtures.ts'

test('who has the role of appenders applies what an owner of the tables made inline', async () => {
  const own = await createTestDatabase()
  onTestFinished(() => own[Symbol.asyncDispose]())
  const user = await createRole('in role tidemark_append')
  onTestFinished(async () => {
    await own.pool.query(`drop owned by ${user.name} cascade`)
    await user[Symbol.asyncDispose]()
  })
  const versions = [byFold('folded'), byEach('handled')]
  const owner = await openStore(own, versions)
  for (const version of versions) await owner.setMode(version, 'inline')

  const connectionString = user.loginTo(own.connectionString)
  const store = await openStore({ connectionString }, versions)
  await store.append('s-1', [Added({ key: 'a', amount: 1 }), Added({ key: 'a', amount: 2 })])
  expect(await rowsOf(own.pool, 'handled_v1')).toMatchObject([{ key: 'a', sum: '3' }])
  startWorker(own, [])
  await expectExact(own.pool, 'folded_v1')
  await expect(store.setMode('folded', 'async')).rejects.toMatchObject({ code: '42501' })
})
