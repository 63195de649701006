import { expect, test } from 'vitest'
import { explainServerError } from '../../src/cli/explain-server-error.ts'
import { TidemarkError } from '../../src/core/tidemark-error.ts'

const url = 'postgres://someone:secret@db:5432/shop'

function explain(error: unknown): Promise<never> {
  return explainServerError(url, Promise.reject(error))
}

test('names a connection that is lost half way', async () => {
  const lost = Object.assign(new Error('terminating connection'), { code: '57P01' })
  await expect(explain(lost)).rejects.toMatchObject({
    code: 'CONNECTION_FAILED',
    message: 'cannot connect to db:5432/shop as "someone": terminating connection',
    cause: lost,
  })
})

test('names a privilege that is missing', async () => {
  const denied = Object.assign(new Error('permission denied for schema tidemark'), {
    code: '42501',
  })
  await expect(explain(denied)).rejects.toMatchObject({
    code: 'PRIVILEGE_MISSING',
    message:
      'permission denied for schema tidemark: connect as the owner of the log, ' +
      'or grant it to this user',
  })
})

test.for([
  new Error('a defect'),
  new TidemarkError('NOT_SUPPORTED', 'ECONNRESET in a name', { details: { feature: 'x' } }),
])('leaves other errors as they are: %s', async (error) => {
  await expect(explain(error)).rejects.toBe(error)
})
