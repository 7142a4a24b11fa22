// A tus server before S3: @tus/server with @tus/s3-store, parts of 8 MiB. Uploads are created at /files.
//
//     S3_ENDPOINT_URL=… S3_BUCKET_NAME=… PORT=9200 node benchmarks/peers/node/tus.mjs
//
// WHEN_REQUIRED, because the store hands its parts to the SDK as file streams: with checksums these would be sent
// aws-chunked, which several S3-likes refuse. So this peer sends its parts without a CRC32.

import { Server } from '@tus/server'
import { S3Store } from '@tus/s3-store'
import { bucket, settings } from './s3.mjs'

const datastore = new S3Store({
  partSize: 8 * 1024 * 1024,
  s3ClientConfig: { ...settings, bucket, requestChecksumCalculation: 'WHEN_REQUIRED' },
})

const port = Number(process.env.PORT ?? 0)
const server = new Server({ path: '/files', datastore }).listen(port, '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${server.address().port}`)
})
