//! Ductape on DynamoDB
