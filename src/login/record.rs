//! Stores a login and builds the answer from everything that is known about the user.

use secrecy::SecretString;

use super::{Answer, EncryptedData, Error, OfficialAccount, ParsedRequest, Shared};
use crate::model::UnionId;
use crate::store::mini_program_users::{self, Login};
use crate::store::{self, erasures, identities};
use crate::wechat::login::Session;

/// The purpose that session keys are encrypted for.
const PURPOSE: &str = "session_key";

/// Maximum age of encrypted data. `wx.getUserInfo` encrypts it again for each login, so fresh data
/// is seconds old. Older data may have been recorded, and may contain a unionid from before the
/// Mini Program was bound to another Open Platform account.
const MAX_DATA_AGE_SECONDS: i64 = 10 * 60;

impl Shared {
    /// Stores the login, which ends an earlier erasure of the user, and returns the answer.
    pub(super) async fn record(
        &self,
        request: &ParsedRequest,
        session: &Session,
    ) -> Result<Answer, Error> {
        let unionid_of_client = match (&session.unionid, &request.encrypted) {
            (None, Some(encrypted)) => self.decrypt_unionid(request, session, encrypted).await?,
            _ => None,
        };
        let session_key = self.encrypt_session_key(request, session)?;
        let login = Login {
            openid: &session.openid,
            unionid: session.unionid.as_ref(),
            unionid_of_client: unionid_of_client.as_ref(),
            session_key: session_key.as_deref(),
        };
        Ok(store::in_time(self.write(request, login)).await?)
    }

    /// The unionid in the client's encrypted data.
    async fn decrypt_unionid(
        &self,
        request: &ParsedRequest,
        session: &Session,
        encrypted: &EncryptedData,
    ) -> Result<Option<UnionId>, Error> {
        let EncryptedData { encrypted_data, iv } = encrypted;
        let opened =
            session.session_key.open(&request.appid, &session.openid, encrypted_data, iv)?;
        let now = store::in_time(self.store.now()).await?;
        match now / 1_000 - opened.sealed_at {
            age if age > MAX_DATA_AGE_SECONDS => Err(Error::SealedDataOld),
            _ => Ok(opened.unionid),
        }
    }

    fn encrypt_session_key(
        &self,
        request: &ParsedRequest,
        session: &Session,
    ) -> Result<Option<String>, Error> {
        let Some(program) =
            self.programs.get(&request.appid).filter(|_| self.settings.store_session_key)
        else {
            return Ok(None);
        };
        let plain = SecretString::from(session.session_key.expose());
        Ok(Some(program.sealer.seal(PURPOSE, &plain)?))
    }

    async fn write(
        &self,
        request: &ParsedRequest,
        login: Login<'_>,
    ) -> Result<Answer, store::Error> {
        let account = self.accounts.account_id(&self.store, &request.appid).await?;
        let appids = self.accounts.by_account_id(&self.store).await?;
        let found = mini_program_users::find(self.store.reader(), account, login.openid).await?;
        let transaction = self.store.begin().await?;
        let recorded =
            mini_program_users::record_login(&transaction, account, login, found).await?;
        let unionid = recorded.unionid;
        erasures::readmit(&transaction, account, login.openid, unionid.as_ref()).await?;
        let follows = match &unionid {
            Some(unionid) => identities::list_follows(&transaction, unionid).await?,
            None => Vec::new(),
        };
        transaction.commit().await?;
        let official_accounts = follows.into_iter().filter_map(|(account, follow)| {
            let appid = (*appids.get(&account)?).clone();
            Some(OfficialAccount { appid, openid: follow.openid, subscribed: follow.subscribed })
        });
        Ok(Answer {
            appid: request.appid.clone(),
            openid: login.openid.clone(),
            unionid: unionid.clone(),
            new_user: recorded.is_new,
            official_accounts: official_accounts.collect(),
        })
    }
}
