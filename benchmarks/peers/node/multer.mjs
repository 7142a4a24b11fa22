// Express with multer-s3, as its README has it: POST /upload, a form with the field `file`.
//
//     S3_ENDPOINT_URL=… S3_BUCKET_NAME=… PORT=9201 node benchmarks/peers/node/multer.mjs
//
// Parts of 5 MiB, 4 at a time, each with a CRC32: the SDK's own settings, which multer-s3 gives no way to change.

import { S3Client } from '@aws-sdk/client-s3'
import express from 'express'
import multer from 'multer'
import multerS3 from 'multer-s3'
import { bucket, settings } from './s3.mjs'

const storage = multerS3({
  s3: new S3Client(settings),
  bucket,
  key: (_request, file, done) => done(null, `${Date.now()}-${file.originalname}`),
})

const app = express()
app.post('/upload', multer({ storage }).single('file'), (request, response) => {
  response.status(201).json({ name: request.file.key, etag: request.file.etag })
})

const port = Number(process.env.PORT ?? 0)
const server = app.listen(port, '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${server.address().port}`)
})
