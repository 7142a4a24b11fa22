// Where the storage is: S3_ENDPOINT_URL, S3_BUCKET_NAME, AWS_REGION; the SDK finds AWS_ACCESS_KEY_ID and its secret.

export const bucket = process.env.S3_BUCKET_NAME

export const settings = {
  endpoint: process.env.S3_ENDPOINT_URL,
  region: process.env.AWS_REGION ?? 'us-east-1',
  forcePathStyle: true,
}
